# SPDX-License-Identifier: MIT
"""Write the ELF files that the test badelf executes.

usage: mkelf.py FOLDER

The first letter of a name says what must become of the file:
    r  runs and exits with status 42
    d  dies: execve refuses it, or the new image is killed by a signal
    e  either of these, but nothing else, such as another exit status
    m  a seeded mutant: whatever happens, the kernel and the caller survive
The same files come out every time.
"""
import os
import random
import struct
import sys

BASE, MUTANTS, SEED = 0x10000, 300, 20240229
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_TLS, PT_GNU_STACK = 1, 2, 3, 4, 7, 0x6474E551
X, W, R = 1, 2, 4
KERNEL = 0xFFFFFFFF80200000
PAGE = 0x1000
HEADER = "<4sBBBBB7xHHIQQQIHHHHHH"
SEGMENT = "<IIQQQQQQ"
T0, T1, A0, A7 = 5, 6, 10, 17


def addi(rd, rs, value):
    return struct.pack("<I", (value & 0xFFF) << 20 | rs << 15 | rd << 7 | 0x13)


def lui(rd, value):
    return struct.pack("<I", (value & 0xFFFFF) << 12 | rd << 7 | 0x37)


def load(rd, base, offset):
    return struct.pack("<I", offset << 20 | base << 15 | 3 << 12 | rd << 7 | 0x03)


def store(source, base):
    return struct.pack("<I", source << 20 | base << 15 | 3 << 12 | 0x23)


ECALL = struct.pack("<I", 0x73)
LEAVE = addi(A7, 0, 93) + ECALL
EXIT_42 = addi(A0, 0, 42) + LEAVE


def check_zero(page, offset):
    """Code: exit with 42 + what is in the page at the offset."""
    return lui(T0, page >> 12) + load(T1, T0, offset) + addi(A0, T1, 42) + LEAVE


def check_zero_and_write(page, offset=0):
    """Code: load from the page at the offset, store to its start, exit with 42 + what was there."""
    address = lui(T0, page >> 12)
    return address + load(T1, T0, offset) + store(T0, T0) + addi(A0, T1, 42) + LEAVE


def segment(kind=PT_LOAD, flags=R | X, offset=0, vaddr=BASE, filesz=None, memsz=None, align=PAGE):
    return dict(kind=kind, flags=flags, offset=offset, vaddr=vaddr, filesz=filesz, memsz=memsz,
                align=align)


def elf(code=EXIT_42, segments=None, tail=b"", **header):
    """An executable whose first segment covers headers and code, unless told otherwise."""
    segments = [segment()] if segments is None else segments
    start = 64 + 56 * len(segments)
    size = start + len(code)
    h = dict(magic=b"\x7fELF", bits=2, order=1, version=1, abi=0, abiversion=0, type=2, machine=243,
             version2=1, entry=BASE + start, phoff=64, shoff=0, flags=5, ehsize=64, phentsize=56,
             phnum=len(segments), shentsize=64, shnum=0, shstrndx=0)
    h.update(header)
    out = struct.pack(HEADER, *h.values())
    for s in segments:
        filesz = size if s["filesz"] is None else s["filesz"]
        memsz = filesz if s["memsz"] is None else s["memsz"]
        out += struct.pack(SEGMENT, s["kind"], s["flags"], s["offset"], s["vaddr"], s["vaddr"],
                           filesz, memsz, s["align"])
    return out + code + tail


def bss(vaddr, memsz=PAGE, **more):
    return segment(flags=R | W, vaddr=vaddr, filesz=0, memsz=memsz, **more)


def good_files():
    text = segment()
    yield "plain", elf()
    yield "bss-only-segment", elf(check_zero_and_write(0x20000), [text, bss(0x20000)])
    far = 0x40000000
    yield "bss-far-and-large", elf(check_zero_and_write(far), [text, bss(far, 1 << 28)])
    yield "bss-not-page-aligned", elf(check_zero_and_write(0x21000), [text, bss(0x20ff8, 0x2000)])
    yield "segments-out-of-order", elf(check_zero_and_write(0x20000), [bss(0x20000), text])
    yield "unknown-segment-kinds", elf(segments=[text, segment(kind=0x60000000, vaddr=KERNEL),
                                                 segment(kind=PT_NOTE), segment(kind=PT_GNU_STACK)])
    yield "empty-load-segment", elf(segments=[text, segment(vaddr=0x30000, filesz=0, memsz=0)])
    # A page that is half data, half bss: what follows the data in the file must not show through.
    where = 64 + 2 * 56 + len(check_zero_and_write(0))
    code = check_zero_and_write(0x20000, where + 16)
    data = segment(flags=R | W, offset=where, vaddr=0x20000 + where, filesz=16, memsz=2 * PAGE)
    yield "tail-of-file-not-in-bss", elf(code, [text, data], tail=b"\xEE" * 64)


def bad_headers():
    yield "wrong-magic", elf(magic=b"\x7fELG")
    yield "32-bit", elf(bits=1)
    yield "x86-64", elf(machine=62)
    yield "relocatable", elf(type=1)
    yield "core", elf(type=4)
    yield "no-segments", elf(segments=[])
    yield "phnum-huge", elf(phnum=0xFFFF)
    yield "phoff-beyond", elf(phoff=1 << 20)
    yield "phoff-wraps", elf(phoff=(1 << 64) - 56)
    yield "phoff-negative", elf(phoff=1 << 63)
    yield "phentsize-small", elf(phentsize=8)
    yield "phentsize-zero", elf(phentsize=0)
    yield "entry-zero", elf(entry=0)
    yield "entry-kernel", elf(entry=KERNEL)
    yield "entry-outside", elf(entry=0x5000000)
    yield "entry-not-canonical", elf(entry=1 << 38)
    yield "entry-in-data", elf(entry=0x20000, segments=[segment(), bss(0x20000)])
    yield "only-notes", elf(segments=[segment(kind=PT_NOTE)])
    yield "only-bss", elf(entry=0x20000, segments=[bss(0x20000)])
    for cut in (0, 1, 3, 4, 16, 40, 63, 64, 65, 100, 119):
        yield f"cut-to-{cut}", elf()[:cut]


def bad_segments():
    text = segment()
    for name, vaddr in (("null", 0), ("kernel", KERNEL), ("direct-map", 0xFFFFFFC080200000),
                        ("last-page", (1 << 64) - PAGE), ("top", 1 << 38),
                        ("over-top", (1 << 38) - 3 * PAGE), ("hole", 1 << 47), ("sign", 1 << 63)):
        if name != "null":
            yield f"data-at-{name}", elf(segments=[text, bss(vaddr, 4 * PAGE)])
        if name != "over-top":
            yield f"text-at-{name}", elf(entry=vaddr + 120, segments=[segment(vaddr=vaddr)])
    yield "filesz-over-memsz", elf(segments=[segment(filesz=132, memsz=8)])
    yield "filesz-without-memsz", elf(segments=[text, segment(vaddr=0x30000, filesz=64, memsz=0)])
    yield "filesz-wraps", elf(segments=[segment(filesz=(1 << 64) - 8)])
    yield "offset-beyond", elf(segments=[segment(offset=1 << 30)])
    yield "offset-wraps", elf(segments=[segment(offset=(1 << 64) - PAGE)])
    yield "offset-plus-filesz-wraps", elf(segments=[segment(offset=PAGE, filesz=(1 << 64) - PAGE)])
    yield "memsz-wraps", elf(segments=[text, bss(0x20000, (1 << 64) - 0x20000)])
    yield "memsz-over-address-space", elf(segments=[text, bss(0x20000, 1 << 38)])
    yield "memsz-all-ones", elf(segments=[text, bss(0x20000, (1 << 64) - 1)])
    yield "not-congruent", elf(segments=[segment(vaddr=BASE + 8)])
    yield "not-executable", elf(segments=[segment(flags=R)])
    yield "write-only-text", elf(segments=[segment(flags=W)])
    yield "no-rights", elf(segments=[segment(flags=0)])


def refused_or_right():
    """Files that one kernel runs and another refuses."""
    yield "wrong-version", elf(version=0)
    yield "big-endian", elf(order=2)
    yield "text-in-last-page", elf(entry=(1 << 38) - PAGE + 120,
                                   segments=[segment(vaddr=(1 << 38) - PAGE)])
    # What lies behind the file in memory must not be seen in the pages that claim to hold it.
    for reach in (0x800, PAGE, 1 << 20):
        yield f"filesz-{reach:x}-beyond-file", elf(check_zero(BASE, 0x7F8), [segment(filesz=reach)])


def odd_files():
    """Files from which nothing is asked but to do no harm."""
    text = segment()
    yield "text-with-bss-behind", elf(segments=[segment(memsz=3 * PAGE)])
    yield "same-segment-twice", elf(segments=[text, text])
    yield "overlap-in-one-page", elf(segments=[text, bss(BASE + 0x800, 0x100)])
    yield "overlap-inside", elf(segments=[segment(memsz=16 * PAGE), bss(BASE + 4 * PAGE)])
    yield "writable-text", elf(segments=[segment(flags=R | W | X)])
    yield "over-the-stack", elf(segments=[text, bss((1 << 38) - (4 << 20), 1 << 20)])
    yield "all-segments-same-bss", elf(segments=[text] + [bss(0x20000)] * 40)
    yield "interpreter", elf(segments=[text, segment(kind=PT_INTERP, filesz=8)])
    yield "interpreter-wild", elf(segments=[text, segment(kind=PT_INTERP, offset=1 << 60)])
    yield "dynamic", elf(type=3)
    yield "align-odd", elf(segments=[segment(align=3)])
    yield "align-huge", elf(segments=[segment(align=1 << 60)])
    yield "headers-overlap-header", elf(phoff=0)
    yield "phoff-odd", elf(phoff=61)
    yield "tls-wild", elf(segments=[text, segment(kind=PT_TLS, vaddr=KERNEL, memsz=1 << 60)])
    yield "script", b"#!/bin/sh\necho no\n"
    yield "four-gib-of-bss", elf(segments=[text, bss(0x100000000, 4 << 30)])


def mutants():
    """Good files with one to four fields or bytes replaced."""
    dice = random.Random(SEED)
    wild = [0, 1, 7, 8, 63, 64, 0xFFF, PAGE, PAGE + 1, BASE, 0x20000, 1 << 31, (1 << 32) - 1,
            1 << 32, (1 << 38) - PAGE, 1 << 38, 1 << 47, 1 << 62, 1 << 63, (1 << 64) - PAGE,
            (1 << 64) - 1, KERNEL, 0xFFFFFFC080000000]
    originals = [data for _, data in good_files()]
    for _ in range(MUTANTS):
        data = bytearray(dice.choice(originals))
        for _ in range(dice.randint(1, 4)):
            kind = dice.randrange(4)
            if kind == 0:  # a byte of the headers
                data[dice.randrange(4, min(len(data), 184))] = dice.randrange(256)
            elif kind == 1:  # a 64-bit field of a program header
                first = 64 + 8 * dice.randrange(1, 7)
                data[first:first + 8] = struct.pack("<Q", dice.choice(wild))
            elif kind == 2:  # a 64-bit field of the file header
                first = dice.choice((24, 32, 40))
                data[first:first + 8] = struct.pack("<Q", dice.choice(wild))
            else:  # a 16-bit field: phentsize, phnum
                first = dice.choice((54, 56))
                data[first:first + 2] = struct.pack("<H", dice.choice(wild) & 0xFFFF)
        yield bytes(data[:dice.randrange(len(data))] if dice.random() < 0.1 else data)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.remove(os.path.join(folder, name))
    files = [("r-" + name, data) for name, data in good_files()]
    for group in (bad_headers(), bad_segments()):
        files += [("d-" + name, data) for name, data in group]
    files += [("e-" + name, data) for name, data in refused_or_right()]
    files += [("m-" + name, data) for name, data in odd_files()]
    files += [(f"m-{number:03}", data) for number, data in enumerate(mutants())]
    for name, data in files:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
        os.chmod(file.name, 0o755)


if __name__ == "__main__":
    main()
