#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""doctor.py - is all there that Kine needs? Versions of the tools, a smoke boot of a few seconds, and
the line that mends what is missing. Exit status 1 if something is."""
import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

import boot
import qemu

CROSS = "riscv64-unknown-elf"
TOOLS = {"make": "make", "gcc": "gcc", f"{CROSS}-gcc": f"gcc-{CROSS}", f"{CROSS}-ld": f"binutils-{CROSS}",
         os.environ.get("QEMU", "qemu-system-riscv64"): "qemu-system-misc", "gdb-multiarch": "gdb-multiarch",
         "spin": "spin"}
ROOT = pathlib.Path(__file__).resolve().parent.parent  # the Makefile's
LIBC = pathlib.Path("/usr/lib/picolibc") / CROSS
HEADERS = pathlib.Path("/usr/include/stdio.h")


def version(tool):
    """The first line of its --version; None if it is not there, or does not run."""
    path = shutil.which(tool)
    try:
        option = "-V" if tool == "spin" else "--version"
        done = subprocess.run([path, option], capture_output=True, text=True, timeout=20) if path else None
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.splitlines() or ["?"])[0] if done and done.returncode == 0 else None


def listed_packages():
    """Those of the Makefile; nothing without make, which then is what is missing."""
    try:
        return subprocess.run(["make", "-s", "-C", str(ROOT), "print-packages"], stdout=subprocess.PIPE,
                              text=True).stdout.split()
    except OSError:
        return []


def installed(package):
    """Of a package for which no tool stands: what dpkg says."""
    try:
        said = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True)
    except OSError:
        return None
    return "installed" if "ok installed" in said.stdout else None


def missing_packages():
    """Says what is there; returns Debian's names of what is not."""
    found = [(tool, package, version(tool)) for tool, package in TOOLS.items()]
    pytest = importlib.util.find_spec("pytest") is not None
    found += [("python3", "python3", platform.python_version()),
              ("pytest", "python3-pytest", "found" if pytest else None),
              ("picolibc", f"picolibc-{CROSS}", "found" if any(LIBC.rglob("libc.a")) else None),
              ("libc headers", "libc6-dev", "found" if HEADERS.exists() else None)]
    known = {package for _, package, _ in found}
    found += [(package, package, installed(package)) for package in listed_packages() if package not in known]
    for tool, _, what in found:
        print(f"{tool:24} {what or 'missing'}")
    return [package for _, package, what in found if not what]


def smoke_boot():
    """One guest that accounts for its frames; true if all is well."""
    start = time.monotonic()
    guest = qemu.boot(boot.config(["/bin/memaudit"], smp=2, mem="256M"), busy_limit=20, idle_limit=10)
    for _ in guest.lines():
        pass
    if guest.verdict != "ok":
        print(*guest.log[-20:], guest.why, sep="\n")
    print(f"{'smoke boot':24} {guest.verdict} in {time.monotonic() - start:.1f} s")
    return guest.verdict == "ok"


def main():
    missing = missing_packages()
    if missing:
        print("mend it: apt-get install " + " ".join(missing))
        return 1
    if not qemu.kernel_path().exists() or not (qemu.ROOT / "out" / "initrd.cpio").exists():
        print("no kernel yet\nmend it: make")
        return 1
    if not smoke_boot():
        print("mend it: make clean all; if it fails again: stress/boot.py -- /bin/memaudit")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
