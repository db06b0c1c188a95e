# SPDX-License-Identifier: MIT
"""failure.py - what is kept of a guest that failed (stress/README.md lists the files)."""
import json
import os
import pathlib
import shutil

import boot
import harts
import memory
import qemu


def save(folder, config, guest, **facts):
    """Write everything known about the guest below folder; returns the folder."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kernel = qemu.kernel_path(config.refs, config.check, config.kernel)
    symbols, command = harts.Symbols(kernel), boot.command_of(config)
    state = _save_state(folder, guest, symbols)
    facts |= {"verdict": guest.verdict, "why": guest.why, "status": guest.status, "command": command}
    (folder / "command").write_text(command + "\n")
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "console.log").write_text("\n".join(guest.log + [f"-- {guest.verdict} {guest.why} --"]) + "\n")
    if kernel.exists():  # the next build would make the dump unreadable
        shutil.copy(kernel, folder / "kernel.elf")
    if guest.memory and guest.memory.extents():
        root = harts.page_table(guest.memory, symbols)
        memory.write_core(folder / "memory.core.gz", guest.memory, root, state)
    return folder


def _save_state(folder, guest, symbols):
    """Registers as QEMU gave them, below a backtrace of each hart; returns them as numbers."""
    state = harts.parse(guest.registers)
    if not state:
        return harts.panic_pcs(guest.log)
    root = guest.memory and harts.page_table(guest.memory, symbols)
    word_at = (lambda va: guest.memory.word_at(root, va)) if root else lambda va: 0
    text = "\n".join(harts.describe(state, symbols, word_at)) + "\n\n" + guest.registers
    (folder / "registers.txt").write_text(text)
    return state


def rerun(folder):
    """The one command that runs the guest saved in this folder again."""
    return f"stress/run.py --replay {os.path.relpath(folder, qemu.ROOT)}"
