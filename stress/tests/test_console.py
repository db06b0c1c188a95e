# SPDX-License-Identifier: MIT
"""test_console.py - the line discipline as one at a keyboard meets it: a shell in one guest.

Every test starts and ends at a prompt. What is expected is what the terminal would receive, echo
and all; the last test ends the machine.
"""
import fcntl
import os
import pathlib
import select
import subprocess
import time

import pytest
from qemu import cpu_seconds

OUT = pathlib.Path(__file__).resolve().parents[2] / "out"
PROMPT = "$ "
BACK = "\b \b"  # wipes out one character
TIMEOUT = 30.0


def ctrl(letter):
    return chr(ord(letter) & 0x1f)


class Console:
    def __init__(self):
        self.qemu = subprocess.Popen(
            [os.environ.get("QEMU", "qemu-system-riscv64"), "-machine", "virt", "-bios", "default",
             "-smp", "2", "-m", "128M", "-kernel", str(OUT / "cas-check" / "kernel.elf"),
             "-initrd", str(OUT / "initrd.cpio"),
             "-display", "none", "-monitor", "none", "-serial", "stdio"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.unread = ""

    def type(self, keys):
        self.qemu.stdin.write(keys.encode())
        self.qemu.stdin.flush()

    def until(self, text):
        """What the console shows up to and with `text`, without carriage returns."""
        deadline = time.monotonic() + TIMEOUT
        fd = self.qemu.stdout.fileno()
        while text not in self.unread:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([fd], [], [], max(left, 0))
            piece = os.read(fd, 65536) if ready else b""
            assert piece, f"waited for {text!r}, got {self.unread!r}"
            self.unread += piece.decode("utf-8", "replace").replace("\r", "")
        shown, self.unread = self.unread.split(text, 1)
        return shown + text

    def run(self, keys):
        """Type at the prompt; what is shown until the next prompt, without that."""
        self.type(keys)
        return self.until("\n" + PROMPT)[:-len(PROMPT)]


@pytest.fixture(scope="module")
def console():
    c = Console()
    try:
        c.until("\n" + PROMPT)
        yield c
    finally:
        c.qemu.kill()
        c.qemu.wait()


def wait_until_it_idles(console):
    """Read nothing until the machine takes (nearly) no CPU time: its writers sleep."""
    deadline = time.monotonic() + TIMEOUT
    used = 1.0
    while used > 0.1:
        assert time.monotonic() < deadline, f"{used:.1f} s of CPU time a second while nobody reads"
        before = cpu_seconds(console.qemu.pid)
        time.sleep(1)
        used = cpu_seconds(console.qemu.pid) - before


def test_writers_sleep_while_nobody_reads_and_nothing_is_lost(console):
    fcntl.fcntl(console.qemu.stdout, fcntl.F_SETPIPE_SZ, 4096)
    console.type("seq 20000; echo end\r")
    wait_until_it_idles(console)
    wanted = "\n".join(map(str, range(1, 20001)))
    assert console.until("\nend\n" + PROMPT) == f"seq 20000; echo end\n{wanted}\nend\n{PROMPT}"


def test_lines_of_several_writers_do_not_mix(console):
    fcntl.fcntl(console.qemu.stdout, fcntl.F_SETPIPE_SZ, 4096)
    console.type("".join(f"yes {c * 30} | head -n 2000 & " for c in "abc") + "wait; echo end\r")
    wait_until_it_idles(console)
    lines = console.until("\nend\n" + PROMPT).split("\n")[1:-2]
    whole = sorted(line for line in lines if line in ("a" * 30, "b" * 30, "c" * 30))
    assert len(whole) == 6000, [line for line in lines if line not in whole][:5]


def test_a_writer_that_sleeps_can_be_killed(console):
    fcntl.fcntl(console.qemu.stdout, fcntl.F_SETPIPE_SZ, 4096)
    console.type("yes & sleep 1; kill -9 $!; wait; echo gone\r")
    wait_until_it_idles(console)
    assert console.until("gone\n" + PROMPT).count("y\n") > 1000


def test_a_line_is_echoed_and_run(console):
    assert console.run("echo hello\r") == "echo hello\nhello\n"


def test_a_new_line_ends_a_line_as_a_return_does(console):
    assert console.run("echo hello\n") == "echo hello\nhello\n"


@pytest.mark.parametrize("key", ["\x7f", "\b"])
def test_erase_takes_back_one_character(console, key):
    assert console.run(f"echo onx{key}e\r") == f"echo onx{BACK}e\none\n"


def test_erase_stops_at_the_beginning_of_the_line(console):
    assert console.run("ab\x7f\x7f\x7f\x7fecho two\r") == f"ab{BACK}{BACK}echo two\ntwo\n"


def test_kill_line_takes_back_all_of_it(console):
    assert console.run(f"rubbish{ctrl('U')}echo three\r") == f"rubbish{BACK * 7}echo three\nthree\n"


def test_kill_line_leaves_the_line_before_alone(console):
    assert console.run(f"cat\rkept\r{ctrl('U')}{ctrl('D')}") == "cat\nkept\nkept\n"


def test_end_of_file_ends_a_program_and_not_the_shell(console):
    assert console.run(f"cat; echo ended\r{ctrl('D')}") == "cat; echo ended\nended\n"


def test_end_of_file_behind_text_hands_the_text_over_first(console):
    assert console.run(f"cat; echo\rpart{ctrl('D')}") == "cat; echo\npartpart\n"


def test_text_before_an_end_of_file_cannot_be_erased(console):
    shown = console.run(f"sleep 1; cat; cat\rab{ctrl('D')}\x7f{ctrl('U')}c\r{ctrl('D')}")
    assert shown == "sleep 1; cat; cat\nabc\nabc\n"


def test_interrupt_is_a_character_like_any_other(console):
    shown = console.run(f"echo {ctrl('C')} | hexdump\r")
    assert "00000000  03 0a " in shown


def test_the_harts_are_shown_at_any_time(console):
    console.type("echo ke")
    console.until("echo ke")
    console.type(ctrl("T"))
    shown = console.until("-- end of harts --\n")
    assert "-- harts --\n" in shown and "\nhart 0:" in shown and "\nhart 1:" in shown
    assert console.run("pt\r") == "pt\nkept\n"


def test_what_is_typed_ahead_waits(console):
    assert console.run("sleep 1\recho ahead\r") == "sleep 1\necho ahead\n"
    assert console.until("\n" + PROMPT) == "ahead\n" + PROMPT


def test_a_line_has_room_for_1023_characters(console):
    console.type("echo go; head -n 1 | wc -c\r")
    console.until("\ngo\n")  # the command itself takes no room any more
    assert console.run("a" * 1100 + "\r") == "a" * 1023 + "\n   1024\n"


def test_a_long_line_can_still_be_erased(console):
    shown = console.run("a" * 1100 + ctrl("U") + "echo again\r")
    assert shown == "a" * 1023 + BACK * 1023 + "echo again\nagain\n"


def test_an_empty_line_and_a_wrong_one_do_no_harm(console):
    assert console.run("\r") == "\n"
    assert console.run("(\r") == "(\nsh: syntax: a ( is not closed\n"


def test_a_killed_program_is_told(console):
    assert console.run("sleep 1000 & kill -SEGV $!; wait $!\r").endswith(
        "\nsh: ended: segmentation fault\n")


def test_end_of_file_at_the_prompt_ends_the_machine(console):
    console.run("(exit 7)\r")
    console.type(ctrl("D"))
    assert console.qemu.wait(TIMEOUT) == 7
