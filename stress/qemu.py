# SPDX-License-Identifier: MIT
"""qemu.py - one guest: its command line, its console, and whether it still makes progress.

A guest hangs when it prints nothing new although its virtual harts have used much CPU time since
(busy hang), or when it has been idle and silent for long (lost wake-up). Wall-clock time alone says
nothing: the host may be loaded.
"""
import os
import pathlib
import re
import select
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUSY_LIMIT = 90.0   # seconds of CPU time without a line
IDLE_LIMIT = 60.0   # seconds of wall time without a line and almost without CPU time
TICKS = os.sysconf("SC_CLK_TCK")


def kernel_path(refs="cas", check=False):
    return ROOT / "out" / (refs + ("-check" if check else "")) / "kernel.elf"


def command_line(args, console=("-nographic",), monitor=None):
    """args: smp, mem, refs, check, icount, cpu, machine, append, command (list)."""
    words = [args.append] if args.append else []
    if args.command:
        words += ["--"] + ['"%s"' % w if " " in w else w for w in args.command]
    line = [os.environ.get("QEMU", "qemu-system-riscv64"), "-machine",
            ",".join(["virt"] + ([args.machine] if args.machine else [])), "-bios", "default",
            "-smp", str(args.smp), "-m", args.mem, "-kernel",
            str(kernel_path(args.refs, args.check)), "-initrd", str(ROOT / "out" / "initrd.cpio"),
            "-append", " ".join(words), *console]
    if args.cpu:
        line += ["-cpu", "rv64," + args.cpu]
    if args.icount:
        line += ["-icount", "shift=0"]
    if monitor:
        line += ["-qmp", f"unix:{monitor},server=on,wait=off"]
    return line


def cpu_seconds(pid):
    """CPU time of the process and all of its threads, or None when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    except (OSError, IndexError):
        return None


class Guest:
    """Runs QEMU; `lines()` yields console lines until it ends. Afterwards: status, log, verdict."""

    def __init__(self, argv, monitor=None, busy_limit=BUSY_LIMIT, idle_limit=IDLE_LIMIT):
        self.monitor, self.busy_limit, self.idle_limit = monitor, busy_limit, idle_limit
        self.log, self.status, self.verdict = [], None, "running"
        try:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT)
        except OSError as error:
            self.process, self.verdict = None, f"cannot start: {error}"

    def lines(self):
        if not self.process:
            return
        fd, rest = self.process.stdout.fileno(), b""
        last_line, last_cpu = time.monotonic(), 0.0
        while True:
            ready, _, _ = select.select([fd], [], [], 1.0)
            if ready:
                piece = os.read(fd, 65536)
                if not piece:
                    break
                *complete, rest = (rest + piece).split(b"\n")
                if complete:
                    last_line, last_cpu = time.monotonic(), cpu_seconds(self.process.pid) or 0.0
                for raw in complete:
                    line = raw.decode("utf-8", "replace").rstrip("\r")
                    self.log.append(line)
                    yield line
            elif self._hangs(last_line, last_cpu):
                self.verdict = "hang"
                break
        if rest:
            self.log.append(rest.decode("utf-8", "replace").rstrip("\r"))
            yield self.log[-1]
        self._finish()

    def _hangs(self, last_line, last_cpu):
        used = (cpu_seconds(self.process.pid) or last_cpu) - last_cpu
        silent = time.monotonic() - last_line
        return used > self.busy_limit or (silent > self.idle_limit and used < 0.1 * silent)

    def _finish(self):
        if self.verdict == "hang":
            self._explain_hang()
            self.process.kill()
        self.status = self.process.wait()
        text = "\n".join(self.log)
        if self.verdict == "hang":
            return
        if "PANIC: " in text:
            self.verdict = "panic"
        elif self.status < 0:
            self.verdict = "crash"
        else:
            self.verdict = "ok" if self.status == 0 else "failed"

    def _explain_hang(self):
        """^T on the console, then the registers of all harts by the monitor."""
        try:
            self.process.stdin.write(b"\x14")
            self.process.stdin.flush()
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                ready, _, _ = select.select([self.process.stdout], [], [], 0.5)
                if ready:
                    text = os.read(self.process.stdout.fileno(), 65536).decode("utf-8", "replace")
                    self.log += text.replace("\r", "").split("\n")
        except OSError:
            pass
        if self.monitor:
            self.log += monitor_command(self.monitor, "info registers -a").split("\n")


def monitor_command(path, command):
    """A command of QEMU's human monitor through QMP; its output, or why there is none."""
    import json
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(path)
            f = s.makefile("rw")
            f.readline()
            for request in ({"execute": "qmp_capabilities"},
                            {"execute": "human-monitor-command",
                             "arguments": {"command-line": command}}):
                f.write(json.dumps(request) + "\n")
                f.flush()
                answer = json.loads(f.readline())
                while "event" in answer:
                    answer = json.loads(f.readline())
            return str(answer.get("return", answer))
    except (OSError, ValueError) as error:
        return f"monitor: {error}"


def monitor_path():
    return os.path.join(tempfile.mkdtemp(prefix="kine-"), "qmp")


RESULT = re.compile(r"^\s*(not ok|ok) (\d+)(?: - |\s+)?(.*)$")


def parse_ktap(lines):
    """[(ok, name)] of the result lines and whether every plan is kept; other lines don't matter."""
    results, planned, seen = [], 0, 0
    for line in lines:
        plan = re.match(r"^\s*1\.\.(\d+)\s*$", line)
        if plan:
            planned += int(plan.group(1))
        match = RESULT.match(line)
        if match:
            seen += 1
            results.append((match.group(1) == "ok", match.group(3).strip()))
    return results, planned == seen
