# SPDX-License-Identifier: MIT
"""What the kernel has mapped for itself, read from the memory of a guest that is gone: `make kernels`."""
import pytest

import boot
import harts
import qemu

V, R, W, X, U, G = (1 << i for i in range(6))
PAGE, PPN = 4096, (1 << 44) - 1


def leaves(memory, table, level=2, va=0):
    """(virtual, physical, bytes, flags) of all there are below an Sv39 table, the user's half included."""
    for i, pte in enumerate(memory.words(table, 512)):
        here, pa, span = va + (i << 12 + 9 * level), (pte >> 10 & PPN) << 12, 1 << 12 + 9 * level
        if pte & V and (pte & (R | W | X) or level == 0):
            yield here, pa, span, pte & 0x3ff
        elif pte & V:
            yield from leaves(memory, pa, level - 1, here)


@pytest.fixture(scope="module", params=[(True, "64M"), (False, "2G")], ids=["check", "large pages"])
def kernel_map(request):
    check, mem = request.param
    guest = qemu.boot(boot.config(["/bin/true"], smp=2, mem=mem, check=check), keep_memory=True)
    list(guest.lines())
    assert guest.verdict == "ok"
    root = harts.page_table(guest.memory, harts.Symbols(qemu.kernel_path(check=check)))
    found = list(leaves(guest.memory, root))
    guest.memory.close()
    return found


def test_it_is_the_kernels_map(kernel_map):
    """What is said below of all leaves would be true of none: text, the direct map and stacks are there."""
    assert len(kernel_map) > 16
    assert sum(bool(flags & X) for *_, flags in kernel_map) > 8
    assert sum(span for _, _, span, flags in kernel_map if flags & W) > 32 << 20


def test_no_page_is_written_and_executed(kernel_map):
    assert [f"{va:x}" for va, _, _, flags in kernel_map if flags & W and flags & X] == []


def test_no_executed_page_can_be_written_at_another_address(kernel_map):
    executed = [(pa, pa + span) for _, pa, span, flags in kernel_map if flags & X]
    assert [f"{va:x}" for va, pa, span, flags in kernel_map
            if flags & W and any(pa < end and begin < pa + span for begin, end in executed)] == []


def test_nothing_is_the_users(kernel_map):
    assert [f"{va:x}" for va, _, _, flags in kernel_map if flags & U] == []


def test_all_is_global(kernel_map):
    """Every address space has the same: a change of space need not forget it."""
    assert [f"{va:x}" for va, _, _, flags in kernel_map if not flags & G] == []
