# SPDX-License-Identifier: MIT
"""A guest's disks: what stands in the image when the guest is gone. `make kernels` must have been run."""
import json
import struct

import pytest

import boot
import disks
import qemu

SPREAD = 0x9e3779b97f4a7c15  # user/tests/disk.c


def run(*command, **options):
    guest = qemu.boot(boot.config(command, **{"mem": "128M", "check": True, **options}))
    list(guest.lines())
    return guest


def painted(size):
    """What /tests/disk the_whole_disk leaves."""
    return b"".join(struct.pack("<Q", i * SPREAD & (1 << 64) - 1) for i in range(size // 8))


def test_what_is_said_of_a_disk():
    disk = disks.Disk("a b.img,size=1M+2K+512,ro,bad=64,wbad=7,badflush")
    assert (disk.file, disk.size, disk.readonly) == ("a b.img", (1 << 20) + 2560, True)
    node = json.loads(disk.options(3)[1])
    assert node["read-only"] and node["file"]["image"]["filename"] == "a b.img"
    assert [(e["iotype"], e.get("sector")) for e in node["file"]["inject-error"]] == [
        ("read", 64), ("write", 64), ("write", 7), ("flush", None)]
    assert "bus=virtio-mmio-bus.3" in disk.options(3)[3]


def test_a_command_line_comes_back():
    args = boot.config(["/bin/true"], disk=["a.img,ro", "b c.img"], modern=True)
    assert boot.parse_command(boot.command_of(args)) == args


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("size, smp", [(512, 1), (4096, 8), (4608, 2), (3 * 4096 - 512, 8), (1255936, 1),
                                       (1255936, 8)])
def test_the_image_has_what_was_written(tmp_path, size, smp, modern):
    image = tmp_path / "a.img"
    guest = run("/tests/disk", "the_whole_disk", smp=smp, disk=[f"{image},size={size}"], modern=modern)
    assert guest.verdict == "ok", guest.log
    kind = "modern" if modern else "legacy"
    assert f"disk 1 of 1: {size // 512} sectors ({size // 1024} KiB), virtio {kind}, flush" in guest.log
    assert image.read_bytes() == painted(size)


def test_a_partial_sector_of_the_image_is_a_sector(tmp_path):
    image = tmp_path / "a.img"
    guest = run("/tests/disk", "the_whole_disk", smp=2, disk=[f"{image},size=9999"])
    assert guest.verdict == "ok" and image.read_bytes()[:9999] == painted(10240)[:9999]


def test_disks_have_their_names_in_order(tmp_path):
    names = "abcdefgh"  # as many as the machine has slots
    images = [tmp_path / f"{name}.img" for name in names]
    guest = run("/bin/sh", "-c", "; ".join(f"echo {name} > /dev/vd{name}" for name in names), smp=2,
                disk=[f"{image},size=4K" for image in images])
    assert guest.verdict == "ok", guest.log
    assert [image.read_bytes()[:3] for image in images] == [f"{name}\n\0".encode() for name in names]


def test_a_read_only_image_is_the_same(tmp_path):
    image = tmp_path / "a.img"
    image.write_bytes(painted(8192))
    guest = run("/bin/sh", "-c", "echo x | tee /dev/vda; exit 3", smp=2, disk=[f"{image},ro"])
    assert image.read_bytes() == painted(8192)
    assert "tee: /dev/vda: read-only file system" in guest.log and guest.status == 3, guest.log


def test_without_disks_there_is_no_file_of_one():
    guest = run("/bin/ls", "/dev", smp=2)
    assert [line for line in guest.log if line[:2] in ("co", "nu", "vd", "ze")] == ["console", "null", "zero"]
    assert not any(line.startswith("disk") for line in guest.log)


WRITERS = "cat /dev/zero > /dev/vda & " * 6


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("command, end", [("poweroff", ("ok", 0)), ("crash 0", ("panic", qemu.PANIC_STATUS))])
def test_the_machine_ends_while_requests_are_in_flight(tmp_path, command, end, modern):
    words = WRITERS + "hexdump /dev/vda | head -n 1; " + command
    guest = run("/bin/sh", "-c", words, smp=8, append="crash", disk=[f"{tmp_path}/a.img,size=8M"], modern=modern)
    assert (guest.verdict, guest.status) == end, guest.log
