# SPDX-License-Identifier: MIT
"""Campaigns in a fake QEMU: what is said, what is kept, and what passes."""
import gzip
import json
import re
import shlex
import sys

import pytest

import boot
import ktap
import run as campaign
import summary

CLEAN = "say('KTAP version 1\\n# beat mix 1\\nok 1 - mix seed=1\\nok 2 - oom seed=1\\n1..2\\n')\n"
BAD = {  # what the fake does: the verdict, and a word of the reason
    "failed": (CLEAN.replace("ok 2", "not ok 2"), "not ok: oom"),
    "failed ": (CLEAN + "sys.exit(3)", "status 3"),
    "truncated": (CLEAN.replace("1..2", ""), "plan"),
    "truncated ": (CLEAN.replace("1..2", "1..3"), "plan"),
    "truncated  ": (CLEAN.replace("ok 2", "o\\x00k 2"), "plan"),
    "truncated   ": ("say('')", "plan"),
    "panic": (CLEAN + "say('x PANIC: hart 1: frame 3\\n'); os._exit(101)", "hart 1: frame 3"),
    "crash": (CLEAN + "os.kill(os.getpid(), signal.SIGSEGV)", "status -11")}


@pytest.fixture
def go(tmp_path, monkeypatch, fake, capsys):
    """go(source, options...): (exit status, standard output, results.json)."""
    def start(source, *options):
        fake(source)
        monkeypatch.setattr(sys, "argv", ["run.py", "--time=0", "--seed=7", *options])
        status = campaign.main()
        path = tmp_path / "out" / "results.json"
        return status, capsys.readouterr().out, json.loads(path.read_text()) if path.exists() else None
    monkeypatch.setattr(campaign, "OUT", tmp_path / "out")
    return start


def replay_folder(text):
    """The folder in the one command that runs a failure again."""
    command = re.search(r"^# again: (.*)$", text, re.M).group(1)
    words = shlex.split(command)
    assert words[:2] == ["stress/run.py", "--replay"] and len(words) == 3
    return (campaign.qemu.ROOT / words[2]).resolve()


def test_clean_campaign(go):
    status, text, results = go(CLEAN)
    assert status == 0 and "not ok" not in text and "again" not in text
    assert ktap.parse(text.splitlines()) == ([(True, row["name"]) for row in results["runs"]], True)
    assert len(results["runs"]) == 4 and results["verdict"] == "ok"  # as many as kinds of machine
    assert results["workloads"] == {"mix": {"ok": 4, "failed": 0}, "oom": {"ok": 4, "failed": 0}}
    assert results["host"]["cores"] >= 1 and len(results["host"]["load"]) == 3
    assert results["host"]["qemu"] and results["variables"]["seed"] == results["seed"] == 7


def test_no_progress_where_there_is_no_terminal(go):
    _, text, _ = go(CLEAN)
    assert "\r" not in text and "\033" not in text and "beat" not in text


def test_progress_on_a_terminal(go, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, text, _ = go(CLEAN)
    assert "\rbeat mix 1" in text and "s left" in text


@pytest.mark.parametrize("verdict", BAD)
def test_failure_is_kept_and_told(go, verdict):
    source, why = BAD[verdict]
    status, text, results = go(source, "--refs=cas", "--smp=8")
    assert status == 1 and results["verdict"] == "failed" and results["failed"] == 1
    assert "not ok 1 - cas" in text and f"# {verdict.strip()}" in text and why in text
    folder = replay_folder(text)
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["verdict"] == verdict.strip() and why in facts["why"] and facts["seed"] == 7
    assert facts["host"]["cores"] >= 1
    assert boot.parse_command((folder / "command").read_text()).command[:3] == ["/bin/stress", "all", "seed=7"]
    assert results["runs"][0]["rerun"].endswith(folder.name)


def test_qemu_that_cannot_start_ends_the_campaign(go, monkeypatch):
    monkeypatch.setattr(campaign.qemu.subprocess, "Popen", unable)
    status, text, results = go(CLEAN, "--time=60")
    assert status == 1 and len(results["runs"]) == 1 and "# cannot start: " in text
    assert replay_folder(text).name == "7-1-cannot-start"


def unable(*_, **__):
    raise OSError("no such file")


def test_hang_keeps_registers_and_memory(fake, tmp_path):
    """The fake answers the monitor, and its RAM is the harness's file, as in QEMU."""
    fake("""
import json, re, socket
line = ' '.join(sys.argv)
ram = int(re.search(r'/proc/self/fd/(\\d+)', line).group(1))
os.ftruncate(ram, 1 << 30)
os.pwrite(ram, b'remember me', 0x200000)
monitor = socket.socket(fileno=int(re.search(r'id=qmp,fd=(\\d+)', line).group(1))).makefile('rw')
say('KTAP version 1\\nok 1 - a\\n')
def answer(value):
    monitor.write(json.dumps(value) + '\\n'); monitor.flush()
answer({'QMP': {}})
for line in monitor:
    what = json.loads(line)
    answer({'event': 'STOP'})
    answer({'return': 'CPU#0\\n pc       ffffffff80200000\\n x1/ra 0000000000000001\\n'
                      if 'registers' in str(what) else {}})
""")
    guest, _ = campaign.run_one(boot.config(["/bin/x"]), idle_limit=0.6, explain_limit=0.2)
    folder = campaign.failure.save(tmp_path / "kept", boot.config(["/bin/x"]), guest)
    guest.memory.close()
    assert guest.verdict == "hang" and "idle" in json.loads((folder / "facts.json").read_text())["why"]
    assert (folder / "registers.txt").read_text().startswith("CPU#0: sp 0x0, ra 0x1\n    ")
    assert "idle" in (folder / "console.log").read_text().splitlines()[-1]
    core = gzip.open(folder / "memory.core.gz").read()
    assert core[:4] == b"\x7fELF" and b"remember me" in core


def test_replay(go):
    _, text, _ = go(BAD["failed"][0], "--refs=cas", "--smp=8")
    folder = replay_folder(text)
    status, text, _ = go(BAD["failed"][0], "--replay", str(folder), "--times=2")
    assert status == 1 and text.count("not ok") == 4 and "2 of 2 guests failed" in text
    assert replay_folder(text).is_dir()
    status, text, _ = go(CLEAN, "--replay", str(folder), "--times=10")
    assert status == 0 and "p < 0.3 per guest" in text
    assert ktap.parse(text.splitlines()) == ([(True, "ok")] * 10, True)


def test_replay_of_a_crash_needs_no_memory(go):
    _, text, _ = go(BAD["crash"][0], "--refs=cas", "--smp=8")
    assert not (replay_folder(text) / "memory.core.gz").exists()


def test_interrupted_campaign_has_results(go, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(campaign, "report", stop)
    status, text, results = go(CLEAN)
    assert status == 1 and results["interrupted"] and "interrupted" in text


@pytest.mark.parametrize("failed, guests, workloads, says", [
    (0, 100, 1200, "0 of 100 guests failed, 1200 workloads: p < 0.03 per guest at 95 %"),
    (0, 30, 0, "0 of 30 guests failed: p < 0.1 per guest at 95 %"),
    (0, 2, 24, "0 of 2 guests failed, 24 workloads: too few to say more"),
    (0, 2, 0, "too few"), (1, 100, 100, "1 of 100 guests failed, 100 workloads")])
def test_claim(failed, guests, workloads, says):
    text = summary.claim(failed, guests, workloads)
    assert says in text and ("p <" in text) == (not failed and "too few" not in text)


def test_configurations_vary_and_repeat_by_seed():
    def first(n, seed):
        args = campaign.parser().parse_args(["--smp=1,3,8", f"--seed={seed}"])
        return [c for _, c in zip(range(n), campaign.configurations(args))]

    def drawn(configs):  # all but the seeds themselves
        return [(c.machine, c.cpu, c.command[3:]) for c in configs]
    assert first(40, 3) == first(40, 3) and drawn(first(40, 3)) != drawn(first(40, 4))
    configs = first(27, 3)
    assert len({(c.refs, c.smp, c.mem) for c in configs}) == 27  # every design, hart and memory
    words = [set(word) for word in zip(*(c.command for c in first(108, 3)))]
    assert len(words[2]) == 108 and [len(w) for w in words[3:]] == [4, 6, 3, 3, 3, 3, 3]  # workers, rounds ...
    longest = [word for c in configs for word in c.command if "delay=1000" in c.command and "rounds=" in word]
    assert longest and max(int(word.split("=")[1]) for word in longest) <= 3
    assert words[1] - {"all"} and words[1] <= {"all", *campaign.workloads()}
    assert [c.command[1] for c in configs].count("all") == 18  # of three guests one runs a single workload
    assert len({(c.machine, c.cpu) for c in configs}) == 4 and len({c.append for c in configs}) == 27
    assert len({c.smp for c in configs[:3]}) == 3  # already in a short one


def test_what_is_given_is_not_drawn():
    args = campaign.parser().parse_args(["--workload=oom", "--cpu=sstc=off", "--machine=", "--mem=64M"])
    configs = [c for _, c in zip(range(8), campaign.configurations(args))]
    assert {(c.command[1], c.cpu, c.machine, c.mem) for c in configs} == {("oom", "sstc=off", "", "64M")}
    assert {c.smp for c in configs} == {1, 2, 3, 8} and len(campaign.workloads()) == 14


def test_command_survives_the_round_trip():
    config = boot.config(["/bin/sh", "-c", "a b"], smp=3, mem="64M", check=True, append="crash")
    assert boot.parse_command(boot.command_of(config)) == config
