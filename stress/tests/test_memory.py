# SPDX-License-Identifier: MIT
"""Sv39 tables by hand: a gigabyte, 2 MiB and 4 KiB, each mapped to the guest's first megabytes."""
import os
import struct

import pytest

from memory import PAGE, RAM_BASE, Memory

V, RWX = 1, 14
KERNEL = 0xffffffc000000000
ROOT, MIDDLE, LOW = (RAM_BASE + n * PAGE for n in (1, 2, 3))


@pytest.fixture
def memory():
    made = Memory("8M")
    os.ftruncate(made.fd, 8 << 20)

    def put(address, *words):
        os.pwrite(made.fd, struct.pack(f"<{len(words)}Q", *words), address - RAM_BASE)
    made.put = put
    put(ROOT + 8 * 256, RAM_BASE >> 2 | RWX | V, MIDDLE >> 2 | V)  # 1 GiB; a table
    put(MIDDLE, (RAM_BASE + (2 << 20)) >> 2 | RWX | V, LOW >> 2 | V)  # 2 MiB; a table
    put(LOW + 8 * 5, (RAM_BASE + 9 * PAGE) >> 2 | RWX | V)  # 4 KiB
    yield made
    made.close()


GIGA, MEGA, SMALL = KERNEL, KERNEL + (1 << 30), KERNEL + (1 << 30) + (2 << 20) + 5 * PAGE


@pytest.mark.parametrize("va, pa", [
    (GIGA + 0x345678, RAM_BASE + 0x345678), (MEGA + 0x12340, RAM_BASE + (2 << 20) + 0x12340),
    (SMALL + 0x128, RAM_BASE + 9 * PAGE + 0x128)])
def test_word_at_each_size_of_page(memory, va, pa):
    memory.put(pa, 0x1122334455667788)
    assert memory.word_at(ROOT, va) == 0x1122334455667788


@pytest.mark.parametrize("va", [SMALL + PAGE, KERNEL + (2 << 30), KERNEL + (1 << 30) + (4 << 20), 0])
def test_nothing_is_mapped_there(memory, va):
    assert memory.word_at(ROOT, va) == 0


def test_mappings_and_their_saved_parts(memory):
    assert [(va & (1 << 39) - 1, pa, n) for va, pa, n in memory.mappings(ROOT)] == [
        (GIGA & (1 << 39) - 1, RAM_BASE, 1 << 30), (MEGA & (1 << 39) - 1, RAM_BASE + (2 << 20), 2 << 20),
        (SMALL & (1 << 39) - 1, RAM_BASE + 9 * PAGE, PAGE)]
    memory.put(RAM_BASE + (3 << 20), 1)
    parts = {va: (pa, n) for va, pa, _, n in memory.segments(ROOT)}
    assert parts[GIGA + PAGE] == (RAM_BASE + PAGE, 3 * PAGE)  # the tables, by the gigabyte's page
    assert parts[MEGA + (1 << 20)] == (RAM_BASE + (3 << 20), PAGE)  # the same word twice, by two pages
    assert parts[GIGA + (3 << 20)] == (RAM_BASE + (3 << 20), PAGE)


def test_untouched_memory_has_no_extents():
    memory = Memory("8M")
    assert memory.extents() == []
    memory.close()
