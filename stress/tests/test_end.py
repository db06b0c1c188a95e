# SPDX-License-Identifier: MIT
"""How a guest's programs end, and the guest itself: `make kernels`."""
import pytest

import boot
import qemu


def run(*command, **options):
    guest = qemu.boot(boot.config(command, **{"smp": 2, "mem": "64M", "check": True, **options}))
    list(guest.lines())
    return guest


@pytest.mark.parametrize("word", ["off", "halt"])
def test_reboot_powers_off(word):
    """QEMU's own exit, with what was printed before; init would have left the program's status, 1."""
    guest = run("/tests/reboot", word)
    assert (guest.verdict, guest.status) == ("ok", 0)
    assert guest.log[-1] == f"reboot: {word}" and not any("still here" in line for line in guest.log)


def test_reboot_restarts():
    """The same guest comes up again and does the same again: twice is enough."""
    guest = qemu.boot(boot.config(["/tests/reboot", "restart"], smp=2, mem="64M", check=True),
                      extra=["-action", "reboot=reset"])
    log = []
    for line in guest.lines():
        log.append(line)
        if log.count("reboot: restart") == 2:
            break
    assert log.count("reboot: restart") == 2, guest.verdict
    assert sum(line.startswith("Kine ") for line in log) == 2 and log.count("harts: 2 online") == 2
    assert not any("PANIC" in line or "still here" in line for line in log)


def test_reboot_refuses_what_it_does_not_know():
    """The guest lives, and ends as it would have."""
    guest = run("/bin/sh", "-c", "reboot; echo refused all: $?; exit 7")
    assert "refused all: 0" in guest.log and (guest.verdict, guest.status) == ("failed", 7)
