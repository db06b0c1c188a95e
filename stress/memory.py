# SPDX-License-Identifier: MIT
"""memory.py - a guest's RAM in a file of ours (memfd), so that it outlives QEMU.

QEMU 7.2 calls exit() as soon as a guest powers off: when a panic has been printed, it is too late to
ask the monitor for a dump. The file is there after a panic, a kill or a crash of QEMU itself. It is
sparse: only what the guest has touched is saved, as an ELF core whose segments lie where the kernel
has mapped them (its page table is walked), so that gdb finds every kernel pointer.
"""
import os
import struct
import zlib

RAM_BASE = 0x80000000
IMAGE_OFFSET = 0xffffffff80000000 - RAM_BASE  # kernel/config.h: IMAGE_BASE - IMAGE_PHYS
GAP = 1 << 20  # holes below this size are saved as zeros: fewer segments
V, LEAF, PPN, PAGE = 1, 0xe, (1 << 44) - 1, 4096


class Memory:
    machine = "memory-backend=ram"

    def __init__(self, size):
        self.fd, self.size = os.memfd_create("guest"), size + ("M" if size.isdigit() else "")

    def options(self):
        return ["-object", f"memory-backend-file,id=ram,size={self.size},share=on,"
                           f"mem-path=/proc/self/fd/{self.fd}"]

    def close(self):
        os.close(self.fd)

    def extents(self):
        """[(offset, end)] that hold data, small holes included."""
        found, at, size = [], 0, os.fstat(self.fd).st_size
        while at < size:
            try:
                at = os.lseek(self.fd, at, os.SEEK_DATA)
            except OSError:  # only a hole is left
                break
            end = os.lseek(self.fd, at, os.SEEK_HOLE)
            if found and at - found[-1][1] < GAP:
                at = found.pop()[0]
            found.append((at, end))
            at = end
        return found

    def words(self, pa, n):
        piece = os.pread(self.fd, 8 * n, pa - RAM_BASE) if pa >= RAM_BASE else b""
        return struct.unpack(f"<{n}Q", piece) if len(piece) == 8 * n else (0,) * n

    def word_at(self, table, va):
        """The word at a kernel address, through its Sv39 table; 0 where nothing is mapped."""
        for shift in (30, 21, 12):
            pte = self.words(table + 8 * (va >> shift & 511), 1)[0]
            table = (pte >> 10 & PPN) << 12
            if not pte & V or pte & LEAF:
                break
        inside = (1 << shift) - 1
        return self.words(table & ~inside | va & inside, 1)[0] if pte & V else 0

    def mappings(self, table, level=2, va=0):
        """[(virtual, physical, bytes)] of the kernel's half of an Sv39 table, neighbours joined."""
        runs = []
        for i, pte in enumerate(self.words(table, 512)):
            if not pte & V or (level == 2 and i < 256):
                continue
            here, pa, span = va + (i << 12 + 9 * level), (pte >> 10 & PPN) << 12, 1 << 12 + 9 * level
            leaf = pte & LEAF or level == 0
            for run in [(here, pa, span)] if leaf else self.mappings(pa, level - 1, here):
                if runs and runs[-1][0] + runs[-1][2] == run[0] and runs[-1][1] + runs[-1][2] == run[1]:
                    runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + run[2])
                else:
                    runs.append(run)
        return runs

    def segments(self, root):
        """[(virtual, physical, offset in the file, bytes)]: the saved part of what is mapped."""
        extents = self.extents()
        runs = [(va | 0xffffff8000000000, pa, n) for va, pa, n in self.mappings(root)] if root else []
        runs = runs or [(RAM_BASE + IMAGE_OFFSET, RAM_BASE, 1 << 30), (RAM_BASE, RAM_BASE, 1 << 37)]
        for va, pa, size in runs:
            for start, end in extents:
                low, high = max(pa, RAM_BASE + start), min(pa + size, RAM_BASE + end)
                if low < high:
                    yield va + low - pa, low, low - RAM_BASE, high - low


def _note(kind, body):
    return struct.pack("<III8s", 5, len(body), kind, b"CORE") + body


def _prstatus(number, hart):
    """struct elf_prstatus of riscv64: a thread of gdb's; its registers stand as pc, x1, ... x31."""
    values = [hart["pc"]] + [hart.get(f"x{i}", 0) for i in range(1, 32)]
    return _note(1, struct.pack("<12x h 18x I 76x 32Q 8x", 5, number + 1, *values))


def write_core(path, memory, root, harts):
    """A compressed ELF core. root: physical address of the page table, or 0; harts: [{pc, x1 ...}]"""
    extents, segments = memory.extents(), list(memory.segments(root))[:60000]
    notes = b"".join(_prstatus(i, hart) for i, hart in enumerate(harts))
    count = len(segments) + 1
    notes_at = 64 + 56 * count
    place, data_at = {}, notes_at + len(notes)
    data_at += -data_at % PAGE
    out = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 4, 243, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    out += struct.pack("<IIQQQQQQ", 4, 4, notes_at, 0, 0, len(notes), 0, 4)
    for start, end in extents:
        place[start], data_at = data_at - start, data_at + end - start
    for va, pa, offset, size in segments:
        start = max(s for s in place if s <= offset)
        out += struct.pack("<IIQQQQQQ", 1, 7, place[start] + offset, va, pa, size, size, PAGE)
    out += notes
    _compress(path, out + bytes(-len(out) % PAGE), memory, extents)


def _compress(path, head, memory, extents):
    packer = zlib.compressobj(1, wbits=31)
    with open(path, "wb") as file:
        file.write(packer.compress(head))
        for start, end in extents:
            for at in range(start, end, 1 << 20):
                file.write(packer.compress(os.pread(memory.fd, min(1 << 20, end - at), at)))
        file.write(packer.flush())
