# SPDX-License-Identifier: MIT
"""Pack the initramfs: a cpio archive ("newc") that depends on nothing but its inputs.

usage: mkinitrd.py ARCHIVE PATH-IN-ARCHIVE=FILE ...

Members are sorted, folders come before what is in them, owner and time are 0, inodes are counted
up. /dev is an empty folder: the kernel fills it in. ELF files are executable, others as they are here.
"""
import os
import sys

FOLDER, PROGRAM, PLAIN = 0o040755, 0o100755, 0o100644
EMPTY_FOLDERS = ("bin", "dev", "etc", "tests")


def record(name, inode, mode, data):
    """Return one newc member: header, name and data, each padded to four bytes."""
    links = 2 if mode == FOLDER else 1
    fields = [inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def collect(arguments):
    """Return {path in the archive: (mode, data)}."""
    members = {folder: (FOLDER, b"") for folder in EMPTY_FOLDERS}
    for argument in arguments:
        path, source = argument.split("=", 1)
        if path in members:
            sys.exit(f"mkinitrd: two files want to be /{path}")
        with open(source, "rb") as file:
            data = file.read()
        program = data.startswith(b"\x7fELF") or os.access(source, os.X_OK)
        members[path] = (PROGRAM if program else PLAIN, data)
    return members


def main():
    archive, arguments = sys.argv[1], sys.argv[2:]
    members = sorted(collect(arguments).items())
    parts = [record(path, inode, mode, data)
             for inode, (path, (mode, data)) in enumerate(members, 1)]
    parts.append(record("TRAILER!!!", 0, 0, b""))
    with open(archive + ".new", "wb") as file:
        file.write(b"".join(parts))
    os.replace(archive + ".new", archive)


if __name__ == "__main__":
    main()
