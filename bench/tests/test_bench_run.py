# SPDX-License-Identifier: MIT
"""run.py against a stand-in for the guest: a program that prints what a guest would, or worse."""

import json
import shutil
import sys

import guestrun
import idle
import plan
import pytest
import run

LINE = ("bench name={name} workers={workers} ops=100 size=1 harts=8 {clock}=1000000 "
        "cow_copies=0 cow_flips=25600 end=1")


def lines_for(command):
    """What a healthy guest prints for a command of plan.py."""
    words = command.split()[1:]
    clock, common, points, times = "ns", [1], [], 1
    for word in words:
        if word == "clock=instret":
            clock = "instret"
        elif word.startswith("times="):
            times = int(word[6:])
        elif word.startswith("workers="):
            numbers = [int(number) for number in word[8:].split(",")]
            if points:
                points[-1] = (points[-1][0], numbers)
            else:
                common = numbers
        elif "=" not in word:
            points.append((word, common))
    return [LINE.format(name=name, workers=workers, clock=clock)
            for _ in range(times) for name, several in points for workers in several]


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Let boots print `lines(command)`, then run `after` (python), instead of starting QEMU."""
    def install(lines=lines_for, after="", banner=("Kine boots", "harts: 8 online")):
        def command_for(command, refs="cas", smp=8, mem="1G", icount=False):
            text = tmp_path / "guest.txt"
            text.write_text("\n".join([*banner, *lines(command)]) + "\n",
                            encoding="latin-1")
            code = (f"import os,sys,time\nsys.stdout.buffer.write(open({str(text)!r},'rb').read())"
                    f"\nsys.stdout.flush()\n{after}")
            return [sys.executable, "-c", code]
        monkeypatch.setattr(guestrun, "boot_command", command_for)
        monkeypatch.setattr(guestrun.Guest.__init__, "__defaults__", (3,))
        monkeypatch.setattr("hostfacts.busy_cores", lambda seconds=1.0: 0.0)
        return tmp_path / "report"
    return install


def start(out, *words):
    return run.main(["--no-build", "--out", str(out), *words])


def test_whole_run(stand_in, capsys):
    out = stand_in()
    assert start(out, "--repeat", "2") == 0
    data = json.loads((out / "bench.json").read_text())
    assert {row["refs"] for row in data["results"]} == set(plan.REFS)
    assert {row["view"] for row in data["results"]} == {"ops_per_s", "instructions"}
    assert {"cores", "load", "qemu"} <= set(data["host"])
    assert (out / "index.html").exists() and (out / "bench.csv").exists()
    assert "fork_exit" in capsys.readouterr().out


def test_check_fails_on_a_missed_figure(stand_in):
    assert start(stand_in(), "--check") == 1


def test_garbage_between_the_lines_does_no_harm(stand_in):
    def noisy(command):
        garbage = ["\xff\xfe\x00\x1b[31m", "bench name=", "ok 1 - not ours", ""]
        return [text for line in lines_for(command) for text in [*garbage, line]]
    assert start(stand_in(noisy)) == 0


def test_panic_is_told_and_the_rest_is_kept(stand_in, capsys):
    out = stand_in(lambda command: lines_for(command)[:3] + ["PANIC: frame 12 has count -1"],
                   "sys.exit(101)")
    assert start(out, "--view", "throughput") == 1
    assert "PANIC: frame 12" in capsys.readouterr().out
    assert "Incomplete" in (out / "index.html").read_text()


def test_a_lost_line_is_told(stand_in, capsys):
    out = stand_in(lambda command: lines_for(command)[1:])
    assert start(out, "--refs", "cas", "--view", "throughput") == 1
    assert "1 points missing" in capsys.readouterr().out


def test_a_silent_guest_is_given_up_and_ended(stand_in, capsys):
    out = stand_in(lambda command: lines_for(command)[:2], "time.sleep(600)")
    assert start(out, "--refs", "cas", "--view", "throughput") == 1
    assert "nothing printed for 3 s" in capsys.readouterr().out


def test_scaling_figure(stand_in, capsys):
    stand_in()
    assert start("unused", "--figure", "scaling2", "--repeat", "3", "--check") == 0
    text = capsys.readouterr().out
    assert "fork_write   median 2.00 (target 1.7) of [2.0, 2.0, 2.0]; all pairs 2.00" in text
    assert "3 of 3 boots count" in text and "load" in text


def test_scaling_figure_of_threads(stand_in, capsys):
    stand_in()
    assert start("unused", "--figure", "threads2", "--repeat", "2", "--check") == 0
    text = capsys.readouterr().out
    assert "thread_fault median 2.00 (target 1.6) of [2.0, 2.0]" in text and "alloc" not in text


def test_scaling_figure_on_a_host_with_one_core(stand_in, capsys):
    stand_in(lambda command: [line.replace("=1000000 ", "=2000000 ") if "workers=2" in line else line
                              for line in lines_for(command)])
    assert start("unused", "--figure", "scaling2", "--repeat", "1", "--check") == 1
    text = capsys.readouterr().out
    assert "0 of 4 boots count" in text and "alloc        not measured; all pairs 1.00" in text


def test_scaling_figure_without_points(stand_in, capsys):
    stand_in(lambda command: ["bench error=fork errno=12"], "sys.exit(1)")
    assert start("unused", "--figure", "scaling2") == 1
    assert "fork (errno 12)" in capsys.readouterr().out


def test_idle_finds_only_what_it_started(stand_in, monkeypatch):
    stand_in(after="time.sleep(600)")
    with pytest.raises(guestrun.GuestFailed, match="no QEMU process"):
        idle.measure(8, "1G", "cas", 0.1, 0)


def test_idle_tells_when_there_is_no_boot(stand_in):
    stand_in(lambda command: ["what?"], "sys.exit(1)", banner=())
    with pytest.raises(guestrun.GuestFailed, match="did not boot"):
        idle.measure(8, "1G", "cas", 0.1, 0)


def test_idle_measures_the_qemu_below_the_boot_command(stand_in, tmp_path):
    qemu = tmp_path / "qemu-system-pretended"
    shutil.copy(shutil.which("sleep"), qemu)
    stand_in(after=f"import subprocess; subprocess.run([{str(qemu)!r}, '600'])")
    assert idle.measure(8, "1G", "cas", 0.3, 0.5) < 50


def test_a_process_that_has_gone_has_no_times():
    assert idle._stat(2**30) is None


def fork_times(large):
    """Guests in which a fork with a large heap takes `large` times as long."""
    def lines(command):
        small, big = (LINE.format(name="fork_size", workers=1, clock="ns").replace("size=1", f"size={size}")
                      .replace("=1000000", f"={int(1000000 * factor)}") for size, factor in ((1, 1), (256, large)))
        return [small, big, big, small] * int(command.split()[2].removeprefix("times="))
    return lines


def test_fork_wall(stand_in, capsys):
    stand_in(fork_times(1.05))
    assert start("unused", "--figure", "forkwall", "--quick", "--check") == 0
    assert "median 1.05 of 20 rounds" in capsys.readouterr().out
    stand_in(fork_times(1.2))
    assert start("unused", "--figure", "forkwall", "--quick", "--check") == 1
    stand_in(lambda command: ["bench error=fork errno=12"], "sys.exit(1)")
    assert start("unused", "--figure", "forkwall") == 1
    assert "not measured" in capsys.readouterr().out


COSTS = {"null_syscall": 8, "cow_copy_fault": 5, "cow_reuse_fault": 9, "zero_fault": 5, "fork_exit": 14,
         "pingpong": 15}


@pytest.fixture
def tools(monkeypatch):
    """Guests that print what COSTS says under the race detector, half as much again under lockdep."""
    def install(costs=COSTS):
        def command_for(command, kernel="cas", smp=8, mem="1G", icount=False):
            assert (smp, icount) == (1, True)
            name, ops = command.split()[2], int(command.split()[3].removeprefix("ops="))
            factor = {"cas": 1, "cas-race": costs.get(name, 0), "cas-lockdep": 1.5}[kernel]
            line = LINE.format(name=name, workers=1, clock="instret").replace("ops=100", f"ops={ops}")
            line = line.replace("=1000000", f"={int(2000 * factor * ops)}")
            return [sys.executable, "-c", f"print({line if factor else 'nothing'!r})"]
        monkeypatch.setattr(guestrun, "boot_command", command_for)
        return ["--no-build", "--figure", "slowdown", "--check"]
    return install


def test_slowdown_within_its_limits(tools, capsys):
    assert run.main(tools()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[-5:] == ["2,000", "16,000", "8.00", "3,000", "1.50"]
    assert len(lines) == 2 + len(plan.SLOWDOWN) + 1 and lines[-1] == "limits: met"


def test_a_slowdown_beyond_its_limit_fails_the_check(tools, capsys):
    words = tools({**COSTS, "pingpong": 15.1})
    assert run.main(words) == 1
    assert "limits: MISSED by pipe ping-pong round trip, race\n" in capsys.readouterr().out
    assert run.main(words[:-1]) == 0


def test_a_slowdown_that_was_not_measured_is_missed(tools, capsys):
    assert run.main(tools({**COSTS, "fork_exit": 0})) == 1
    out = capsys.readouterr().out
    assert "trouble: cas-race: bench clock=instret fork_exit ops=20: 1 points missing" in out
    assert "MISSED by fork + exit + wait, 1 MiB, race" in out
