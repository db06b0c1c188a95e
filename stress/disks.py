# SPDX-License-Identifier: MIT
"""disks.py - a guest's disks: raw images, as boot.py's --disk names them.

    FILE[,size=BYTES][,ro][,bad=SECTOR]...

size  the image is made anew, of that many zero bytes; a suffix K or M, and sums: size=1M+512
ro    the guest may only read it
bad   reads and writes of that sector fail (QEMU's blkdebug); rbad, wbad: only reads, only writes; badflush: flushes
The n-th is in the n-th virtio slot, so that the kernel finds them in this order.
"""
import json
import pathlib

UNITS = {"K": 1 << 10, "M": 1 << 20}
KINDS = {"bad": ("read", "write"), "rbad": ("read",), "wbad": ("write",)}


def bytes_of(text):
    return sum(int(part[:-1]) * UNITS[part[-1]] if part[-1] in UNITS else int(part) for part in text.split("+"))


class Disk:
    def __init__(self, text):
        self.file, *words = text.split(",")
        self.size, self.readonly, self.errors = None, False, []
        for word in words:
            key, _, value = word.partition("=")
            if key == "size":
                self.size = bytes_of(value)
            elif key == "ro":
                self.readonly = True
            elif key == "badflush":
                self.errors.append({"event": "none", "iotype": "flush", "errno": 5})
            else:
                self.errors += [{"event": "none", "iotype": kind, "sector": int(value), "errno": 5}
                                for kind in KINDS[key]]

    def make(self):
        if self.size is not None:
            path = pathlib.Path(self.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            with path.open("r+b") as image:
                image.truncate(self.size)

    def options(self, number):
        """QEMU's: the image, and the device in the slot of that number."""
        file = {"driver": "file", "filename": self.file}
        if self.errors:
            file = {"driver": "blkdebug", "image": file, "inject-error": self.errors}
        node = {"driver": "raw", "node-name": f"disk{number}", "read-only": self.readonly, "file": file}
        return ["-blockdev", json.dumps(node), "-device", f"virtio-blk-device,drive=disk{number},"
                f"bus=virtio-mmio-bus.{number},rerror=report,werror=report"]


class Disks:
    """What qemu.py wants of a device: something for -machine, options."""
    machine = ""

    def __init__(self, texts, modern):
        self.disks, self.modern = [Disk(text) for text in texts], modern

    def make(self):
        for disk in self.disks:
            disk.make()

    def options(self):
        modern = ["-global", "virtio-mmio.force-legacy=false"] * self.modern
        return modern + [word for number, disk in enumerate(self.disks) for word in disk.options(number)]
