#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""boot.py - run one command in a guest, show its console, exit with its status.

    stress/boot.py --smp 8 --refs cas --check -- /tests/cow
A hang exits with 124, after the state of all harts.
"""
import argparse
import shlex
import sys

import harts
import qemu


def parser():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--smp", type=int, default=8)
    p.add_argument("--mem", default="1G")
    p.add_argument("--refs", default="cas", choices=["cas", "freelock", "biglock"])
    p.add_argument("--check", action="store_true", help="the kernel built with CHECK=1")
    p.add_argument("--kernel", default="", help="a folder of out/: cas-lockdep, cas-lockdep-W17, ...")
    p.add_argument("--icount", action="store_true", help="count instructions (one thread, exact)")
    p.add_argument("--cpu", default="", help="text behind -cpu rv64,")
    p.add_argument("--machine", default="", help="text behind -machine virt,")
    p.add_argument("--append", default="", help="bootargs before the command")
    p.add_argument("--disk", action="append", default=[], help="an image: stress/disks.py; once for each disk")
    p.add_argument("--modern", action="store_true", help="virtio devices without their legacy")
    p.add_argument("command", nargs="*")
    return p


def config(command=(), **options):
    """What the parser makes of these options; `config(["/bin/true"], smp=2, check=True)`."""
    return argparse.Namespace(**{**vars(parser().parse_args([])), **options, "command": list(command)})


def parse_command(text):
    """The configuration back from a line of command_of."""
    return parser().parse_args(shlex.split(text)[1:])


def command_of(args):
    """The line that boots this very guest."""
    words, default = ["stress/boot.py"], vars(parser().parse_args([]))
    for name, value in vars(args).items():
        if name != "command" and value != default[name]:
            words += [f"--{name}" + ("" if v is True else f"={v}") for v in (value if name == "disk" else [value])]
    return shlex.join(words + ["--"] + args.command)


def main():
    args = parser().parse_args()
    missing = [path for path in qemu.needed(args) if not path.exists()]
    if missing:
        print(f"boot.py: {missing[0]}: not built; make kernel out/initrd.cpio, with the variables that name its folder "
              "(cas-race-M01: RACE=1 MUTANT=M01)", file=sys.stderr)
        return 2
    guest = qemu.boot(args)
    for line in guest.lines():
        print(line, flush=True)
    if guest.verdict == "hang" or guest.process is None:
        symbols = harts.Symbols(qemu.kernel_path(args.refs, args.check, args.kernel))
        print(f"boot.py: {guest.verdict} {guest.why}", *guest.log[-60:],
              *harts.describe(harts.parse(guest.registers), symbols), sep="\n")
        return 124
    return guest.status if guest.status >= 0 else 125


if __name__ == "__main__":
    sys.exit(main())
