# SPDX-License-Identifier: MIT
"""failure.py - what is kept of a guest that failed (stress/README.md lists the files)."""
import json
import pathlib
import shutil

import boot
import harts
import memory


def save(folder, config, guest, **facts):
    """Write everything known about the guest below folder; returns the folder."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log, command = list(guest.log), boot.command_of(config)
    kernel = boot.qemu.kernel_path(config.refs, config.check)
    symbols = harts.Symbols(kernel)
    state = harts.parse(guest.registers) or harts.panic_pcs(log)
    if guest.why:
        log += [f"-- {guest.verdict}: {guest.why} --"]
    if guest.registers:
        log += harts.describe(state, symbols)
        (folder / "registers.txt").write_text(guest.registers)
    (folder / "console.log").write_text("\n".join(log) + "\n")
    (folder / "command").write_text(command + "\n")
    facts |= {"verdict": guest.verdict, "why": guest.why, "status": guest.status, "command": command}
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
    if kernel.exists():  # the next build would make the dump unreadable
        shutil.copy(kernel, folder / "kernel.elf")
    if guest.memory and guest.memory.extents():
        root = harts.page_table(guest.memory, symbols)
        memory.write_core(folder / "memory.core.gz", guest.memory, root, state)
    return folder
