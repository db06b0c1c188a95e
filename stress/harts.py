# SPDX-License-Identifier: MIT
"""harts.py - registers with names: where every hart of a stopped guest is, by the kernel's symbols.

A kernel that no longer takes interrupts cannot say where its harts are; their registers and the
frame pointers in the guest's memory can (psABI: at fp-8 the return address, at fp-16 the caller's fp;
a function that calls nobody has saved no return address, its caller's fp stands at fp-8).
"""
import bisect
import re
import subprocess

IMAGE_PHYS_OF = 0xffffffff80000000 - 0x80000000  # kernel/config.h: IMAGE_BASE - IMAGE_PHYS


class Symbols:
    def __init__(self, kernel):
        try:
            text = subprocess.run(["riscv64-unknown-elf-nm", "-n", str(kernel)], capture_output=True,
                                  text=True).stdout
        except OSError:  # without the tools there are numbers only
            text = ""
        rows = [line.split() for line in text.splitlines()]
        self.data = {r[2]: int(r[0], 16) for r in rows if len(r) == 3}
        code = [(int(r[0], 16), r[2]) for r in rows if len(r) == 3 and r[1] in "tT"]
        self.starts, self.names = [c[0] for c in code], [c[1] for c in code]

    def is_text(self, address):
        return len(self.starts) > 1 and max(self.starts[0], 1 << 63) <= address < self.starts[-1]

    def name(self, address, back=0):
        """function+offset; an address outside of the kernel's text is the user's or the firmware's.
        back=4 for a return address: behind a call that never returns another function may begin."""
        if not self.is_text(address - back):
            return f"0x{address:x}"
        i = bisect.bisect(self.starts, address - back) - 1
        return f"{self.names[i]}+0x{address - self.starts[i]:x}"


def parse(text):
    """[{pc, x1, ... satp}] of `info registers -a`."""
    harts = []
    for part in re.split(r"(?m)^\s*CPU#\d+", text)[1:]:
        pairs = re.findall(r"(?:\b(x\d+)/\S+|\b(pc|satp|scause|stval|sstatus))\s+([0-9a-f]{16})", part)
        harts.append({reg or csr: int(value, 16) for reg, csr, value in pairs})
    return [h for h in harts if "pc" in h]


def panic_pcs(log):
    """After a panic there are no registers: each hart's first line of its backtrace has its pc."""
    lines = list(zip(log, log[1:]))
    found = [re.match(r"\s+0x([0-9a-f]+)", below) for line, below in lines if re.match(r"hart \d+: ", line)]
    return [{"pc": int(match.group(1), 16)} for match in found if match]


def backtrace(hart, symbols, word_at):
    """Code addresses, innermost first; word_at reads the guest's memory."""
    found, fp = [hart["pc"]], hart.get("x8", 0)
    if symbols.is_text(hart["pc"]) and not symbols.is_text(word_at(fp - 8)):
        found, fp = found + [hart.get("x1", 0)], word_at(fp - 8)
    while len(found) < 24 and symbols.is_text(found[0]) and symbols.is_text(word_at(fp - 8)):
        found, fp = found + [word_at(fp - 8)], word_at(fp - 16)
    return found


def describe(harts, symbols, word_at=lambda va: 0):
    """By QEMU's numbers; the kernel numbers its boot hart 0."""
    lines = []
    for i, hart in enumerate(harts):
        lines.append(f"CPU#{i}: sp 0x{hart.get('x2', 0):x}, ra {symbols.name(hart.get('x1', 0), 4)}")
        pcs = backtrace(hart, symbols, word_at)
        lines += [f"    {symbols.name(pc, 4 if n else 0)}" for n, pc in enumerate(pcs)]
    return lines


def page_table(memory, symbols):
    """The physical address of the kernel's page table, 0 while it has none."""
    where = symbols.data.get("kvm_root_pa")
    return memory.words(where - IMAGE_PHYS_OF, 1)[0] if where else 0
