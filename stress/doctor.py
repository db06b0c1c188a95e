#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""doctor.py - versions of the tools, a smoke boot, and the line that mends what is missing."""
import shutil
import subprocess
import sys
import time

import boot
import qemu

TOOLS = {"qemu-system-riscv64": "qemu-system-misc", "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
         "riscv64-unknown-elf-ld": "binutils-riscv64-unknown-elf", "gdb-multiarch": "gdb-multiarch",
         "make": "make"}


def main():
    missing = []
    for tool, package in TOOLS.items():
        path = shutil.which(tool)
        if not path:
            missing.append(package)
            print(f"{tool}: missing")
            continue
        text = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        print(f"{tool}: {text.splitlines()[0] if text else '?'}")
    if not subprocess.run(["find", "/usr/lib/picolibc/riscv64-unknown-elf", "-name", "libc.a"],
                          capture_output=True).stdout:
        missing.append("picolibc-riscv64-unknown-elf")
    if missing:
        print("mend it: apt-get install " + " ".join(missing))
        return 1
    if not qemu.kernel_path().exists() or not (qemu.ROOT / "out" / "initrd.cpio").exists():
        print("mend it: make")
        return 1
    start = time.monotonic()
    guest = qemu.boot(boot.config(["/bin/memaudit"], mem="256M"), busy_limit=20, idle_limit=10)
    for _ in guest.lines():
        pass
    print(f"smoke boot: {guest.verdict} in {time.monotonic() - start:.1f} s")
    if guest.verdict != "ok":
        print("\n".join(guest.log[-20:]))
    return guest.verdict != "ok"


if __name__ == "__main__":
    sys.exit(main())
