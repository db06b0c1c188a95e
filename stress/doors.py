# SPDX-License-Identifier: MIT
"""doors.py - the kernel has one way to user memory, mm/uaccess.h: who else could take another one.

Sight    a use of SUM or of what riscv/uaccess.S has, or outside of mm, where the frames are, of a frame by the
         kernel's own map. In a function, or in a macro; not in kernel/test, in a mutant, or in a comment.
DOORS    the places that do so, each with the reason why it goes around nothing.
The tools (kernel/sync) look at frames as they like, but use no SUM.
"""
import re

from orders import code

SUM = re.compile(r"\b[SM]STATUS_SUM\b|1u?l* *<< *18\b|\b0x40000u?l*\b|"
                 r"\b(?:__\w+?_)?uaccess_(?:copy|begin|end|failed|peek\w*)\b")
FRAME = re.compile(r"\b(frame_kva|pa_to_kva|as_populate)\(|\b(DIRECT_BASE)\b")
BEGIN = re.compile(r"#define (\w+)|\w[^;={}()]*?\b(\w+)\(")  # a macro without arguments, too: a number is a sight
BEGIN_ASSEMBLY = re.compile(r"#define (\w+)|([a-z]\w*):")
DOOR = "riscv/uaccess.S"

DOORS = {
    ("mm/uaccess.c", "uaccess_copy", "SUM"): "declares the door",
    ("mm/uaccess.c", "uaccess_peek", "SUM"): "declares the door",
    ("mm/uaccess.c", "peek_in", "SUM"): "checks the range, then takes the door",
    ("mm/uaccess.c", "uaccess_is_peek", "SUM"): "asks whether a fault is the door's",
    ("mm/uaccess.c", "copy_in", "SUM"): "checks the range, then takes the door",
    ("mm/uaccess.c", "copy_out", "SUM"): "checks the range, then takes the door",
    ("mm/uaccess.c", "uaccess_fixup", "SUM"): "asks whether a fault is the door's",
    ("riscv/csr.h", "SSTATUS_SUM", "SUM"): "its number",
    ("trap.c", "trap_from_kernel", "SUM"): "takes it away from whatever comes in between",
    ("sync/kasan.c", "__real_uaccess_copy", "SUM"): "declares the door",
    ("sync/kasan.c", "__wrap_uaccess_copy", "SUM"): "looks at the kernel's side, then takes the door",
    ("proc/clone_flags.h", "CLONE_SYSVSEM", "SUM"): "a flag of clone that has the same value",
    ("config.h", "DIRECT_BASE", "DIRECT_BASE"): "its number",
    ("riscv/entry.S", "too_late", "DIRECT_BASE"): "finds its hart while the MMU is off",
    ("boot.c", "boot_main", "pa_to_kva"): "device tree and archive, which no user has",
    ("dev/power.c", "finish", "pa_to_kva"): "a device",
    ("fs/pipe.c", "pipe_read", "frame_kva"): "the pipe's own frame, which no user has",
    ("fs/pipe.c", "pipe_write", "frame_kva"): "the pipe's own frame, which no user has",
    ("fs/memfd.c", "move_piece", "frame_kva"): "a page of the file itself, which is no process's own",
    ("proc/exec.c", "push", "as_populate"): "a stack on which nobody runs yet, in a space that nobody else knows",
    ("proc/exec.c", "build", "frame_kva"): "a frame of the kernel's own, for a while",
    ("proc/proc.c", "first_process", "as_populate"): "the first page of the first process, which does not run yet",
}


def sights(name, text):
    """(file, function, what) of each, in the order of the text."""
    for function, line in code(text, BEGIN_ASSEMBLY if name.endswith(".S") else BEGIN):
        yield from ((name, function, "SUM") for _ in SUM.findall(line))
        if not name.startswith(("mm/", "sync/")):
            yield from ((name, function, "".join(words)) for words in FRAME.findall(line))


def of_kernel(kernel):
    """Of all files but the door itself and the tests."""
    found = []
    for path in sorted(kernel.rglob("*.[chS]")):
        name = path.relative_to(kernel).as_posix()
        if name != DOOR and not name.startswith("test/"):
            found += sights(name, path.read_text())
    return found


def strangers(found, table):
    """Sights that the table does not have, and rows without a sight."""
    def lines(places, what):
        return [f"{name}: {function}: {word}: {what}" for name, function, word in sorted(places, key=str)]
    return (lines(set(found) - set(table), "not by mm/uaccess.h; in the table, if it goes around nothing")
            + lines(set(table) - set(found), "is in the table, and nowhere else"))
