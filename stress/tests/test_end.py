# SPDX-License-Identifier: MIT
"""How a guest's programs end, and the guest itself: `make kernels`."""
import re

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


DIED = re.compile(r"kine: pid (\d+) \((.*)\): (.*), address 0x([0-9a-f]+), pc 0x([0-9a-f]+)$")


@pytest.fixture(scope="module")
def deaths():
    """{(cause, address): [(pid, name, pc)]} of programs that did wrong, each in a process of its own."""
    found = {}
    for test in ("no_access_to_where_nothing_is", "instructions_not_for_users", "breakpoints_are_traps"):
        guest = run("/tests/faults", test)
        assert guest.verdict == "ok"
        lines = [line for line in guest.log if line.startswith("kine: ")]
        assert lines and all(map(DIED.match, lines))
        for pid, name, cause, address, pc in (DIED.match(line).groups() for line in lines):
            found.setdefault((cause, int(address, 16)), []).append((int(pid), name, int(pc, 16)))
    return found


@pytest.mark.parametrize("address", [0x8, 0x80200000, 0x3f00000000, 0xffffffff80200000])
def test_a_fault_leaves_one_line(deaths, address):
    """Six ways to go there (user/tests/faults.c): a load and an lr, two stores and an amo, a jump."""
    loads, stores = deaths["load page fault", address], deaths["store page fault", address]
    (pid, name, pc), = deaths["fetch page fault", address]
    assert (len(loads), len(stores), pc) == (2, 3, address)
    everybody = [(pid, name), *(death[:2] for death in loads + stores)]
    assert {name for _, name in everybody} == {"faults"}
    assert len({pid for pid, _ in everybody}) == 6 and min(everybody)[0] > 2  # none is init or the runner
    assert all(0 < death[2] < 1 << 38 and death[2] != address for death in loads + stores)


def test_other_traps_leave_one_line(deaths):
    """Of an illegal instruction the address is the instruction itself."""
    for word in (0xffffffff, 0x0000707f):
        assert [name for _, name, _ in deaths["illegal instruction", word]] == ["faults"]
    breaks = [death for (cause, _), died in deaths.items() for death in died if cause == "breakpoint"]
    assert len({pid for pid, *_ in breaks}) == len({pc for *_, pc in breaks}) == 2
