# SPDX-License-Identifier: MIT
"""What qemu.Guest says of guests that end well, end badly, or don't end."""
import os
import signal
import time

import pytest

import boot
import qemu


def test_clean_run(run):
    guest = run("say('one\\r\\ntwo\\n')")
    assert (guest.verdict, guest.status, guest.log) == ("ok", 0, ["one", "two"])
    assert guest.seen == guest.log


@pytest.mark.parametrize("source, verdict, status", [
    ("sys.exit(3)", "failed", 3),  # without a word
    ("say('ok 1 - a\\nok 2 - b'); say('\\nPANIC: hart 0: x\\n'); os._exit(101)", "panic", 101),
    ("say('ok 1 - fork stoPANIC: hart 1: y'); os._exit(101)", "panic", 101),  # in mid-line
    ("say('PANIC: hart 1: y\\n')", "panic", 0),  # whatever the status
    ("os.kill(os.getpid(), signal.SIGSEGV)", "crash", -signal.SIGSEGV),
    ("say('half a li'); os.kill(os.getpid(), signal.SIGSEGV)", "crash", -signal.SIGSEGV)])
def test_ends_badly(run, source, verdict, status):
    guest = run(source)
    assert (guest.verdict, guest.status) == (verdict, status)


def test_last_line_without_newline_is_kept(run):
    assert run("say('one\\nhalf a li')").seen == ["one", "half a li"]


def test_cannot_start(monkeypatch):
    monkeypatch.setenv("QEMU", "/nowhere/qemu")
    guest = qemu.boot(boot.config())
    assert list(guest.lines()) == []
    assert guest.verdict.startswith("cannot start") and guest.process is None


def test_busy_hang(run):
    guest = run("say('on we go\\n'); spin()", idle_limit=60)
    assert guest.verdict == "hang" and guest.why.startswith("busy")
    assert guest.log == ["on we go"]


def test_busy_hang_without_a_word(run):
    assert run("spin()", idle_limit=60).why.startswith("busy")


def test_idle_hang(run):
    guest = run("say('on we go\\n'); time.sleep(60)", busy_limit=60)
    assert guest.verdict == "hang" and guest.why.startswith("idle")


def test_hang_in_mid_line_keeps_the_piece(run):
    assert run("say('one\\nhalf a li'); time.sleep(60)").log[:2] == ["one", "half a li"]


def test_slow_but_alive_is_no_hang(run):
    guest = run("for i in range(5): time.sleep(0.3); say('%d\\n' % i)")
    assert (guest.verdict, len(guest.log)) == ("ok", 5)


def test_starved_is_not_idle(run, monkeypatch):
    monkeypatch.setattr(qemu, "queued_seconds", lambda pid: time.monotonic())
    assert run("time.sleep(1.3); say('late\\n')").verdict == "ok"


def test_queued_seconds_grow_when_there_are_more_threads_than_cpus(monkeypatch):
    cpus = os.sched_getaffinity(0)
    children = [os.posix_spawn("/bin/sh", ["sh", "-c", "while :; do :; done"], {}) for _ in range(2)]
    try:
        for child in children:
            os.sched_setaffinity(child, {min(cpus)})
        before, deadline = qemu.queued_seconds(children[0]), time.monotonic() + 10
        while qemu.queued_seconds(children[0]) - before < 0.2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert qemu.queued_seconds(children[0]) - before >= 0.2
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


LOOP = """
def work(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until: pass
say('KTAP version 1\\n')
"""
CHATTER = LOOP + "while True: say('kine: still waiting\\n'); work(0.01)"
SAME_BEAT = LOOP + "while True: say('# beat mix 3\\n'); work(0.01)"


@pytest.mark.parametrize("source", [CHATTER, SAME_BEAT, CHATTER.replace("KTAP", "OpenSBI")])
def test_livelock_that_prints(run, source):
    guest = run(source, beats=True, idle_limit=60)
    assert guest.verdict == "hang" and guest.why.startswith("busy")


def test_beats_that_count_are_progress(run):
    guest = run(LOOP + "for i in range(8): say('# beat mix %d\\n' % i); work(0.1)", beats=True, idle_limit=60)
    assert guest.verdict == "ok"


def test_console_closed_but_not_ended(run):
    guest = run("os.close(1); os.close(2); time.sleep(60)")
    assert guest.verdict == "hang" and guest.status == -signal.SIGKILL


def test_garbage(run):
    guest = run("say(b'\\xff\\xfe\\x00\\x1b[2J\\xc3\\nok 1 - a\\n' + bytes(range(256)) + b'\\n1..1\\n')")
    assert guest.verdict == "ok" and "ok 1 - a" in guest.log and guest.log[-1] == "1..1"


def test_very_long_line(run):
    guest = run("say('x' * 1000000); say('\\nok 1 - a\\n')")
    assert guest.verdict == "ok" and guest.log[-1] == "ok 1 - a"
    assert sum(len(line) for line in guest.log[:-1]) == 1000000
    assert max(len(line) for line in guest.log) <= 2 * qemu.LINE_BYTES


def test_endless_line_is_no_progress(run):
    guest = run(LOOP + "while True: say('x'); work(0.01)", idle_limit=60)
    assert guest.why.startswith("busy")


def test_endless_log_has_a_bound(run, monkeypatch):
    monkeypatch.setattr(qemu, "LOG_LINES", 1000)
    guest = run("for i in range(20000): say('%d\\n' % i)", busy_limit=60)
    assert len(guest.log) < 5000 and guest.log[0] == "0" and guest.log[-1] == "19999"
    assert len(guest.seen) == 20000


def test_reader_that_leaves_ends_the_guest(fake):
    fake("say('one\\n'); time.sleep(60)")
    guest = qemu.boot(boot.config())
    for _ in guest.lines():
        break
    assert guest.process.poll() is not None


def test_what_a_hung_guest_answers_is_kept(run):
    guest = run("say('x\\n')\nif os.read(0, 1) == b'\\x14': say('-- harts --\\n-- end of harts --\\n')\n"
                "time.sleep(60)", explain_limit=20)
    assert guest.log == ["x", "-- harts --", "-- end of harts --"]


def test_command_line(monkeypatch):
    monkeypatch.delenv("QEMU", raising=False)
    line = qemu.command_line(boot.config(["/bin/sh", "-c", "a b"], smp=3, mem="64M", append="crash",
                                         machine="aclint=on", cpu="sstc=off", icount=True))
    text = " ".join(line)
    for piece in ("-smp 3", "-m 64M", "virt,aclint=on", "rv64,sstc=off", 'crash -- /bin/sh -c "a b"',
                  "-icount shift=0", "out/cas/kernel.elf"):
        assert piece in text
