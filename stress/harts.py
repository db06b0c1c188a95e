# SPDX-License-Identifier: MIT
"""harts.py - registers with names: where every hart of a stopped guest is, by the kernel's symbols."""
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

    def name(self, address):
        """function+offset; an address outside of the kernel's text is the user's or the firmware's."""
        i = bisect.bisect(self.starts, address) - 1
        if i < 0 or i == len(self.starts) - 1 or address < 1 << 63:
            return f"0x{address:x}"
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


def describe(harts, symbols):
    """By QEMU's numbers; the kernel numbers its boot hart 0."""
    return [f"CPU#{i}: pc {symbols.name(h['pc'])}, ra {symbols.name(h.get('x1', 0))}, "
            f"sp 0x{h.get('x2', 0):x}" for i, h in enumerate(harts)]


def page_table(memory, symbols):
    """The physical address of the kernel's page table, 0 while it has none."""
    where = symbols.data.get("kvm_root_pa")
    return memory.words(where - IMAGE_PHYS_OF, 1)[0] if where else 0
