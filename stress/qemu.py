# SPDX-License-Identifier: MIT
"""qemu.py - one guest: its command line, its console, and whether it still makes progress.

A guest hangs when it makes no progress although its virtual harts have used much CPU time since
(busy hang, livelock), or when it has been idle for long (lost wake-up). Wall-clock time alone says
nothing: the host may be loaded, so time in which QEMU waited for a CPU is not idle time.
Progress is a line on the console, or where beats are expected, a result or a beat that counts on.
"""
import os
import pathlib
import select
import subprocess
import time

import ktap
from disks import Disks
from memory import Memory
from monitor import Monitor

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUSY_LIMIT = 90.0   # seconds of CPU time without progress
IDLE_LIMIT = 60.0   # seconds of wall time without progress and almost without CPU time
EXPLAIN_LIMIT = 5.0  # seconds for a hung guest to answer ^T
LINE_BYTES, LOG_LINES = 1 << 16, 200_000
END_OF_PANIC, PANIC_STATUS = "-- end of panic --", 101  # kernel/panic.c
TICKS = os.sysconf("SC_CLK_TCK")


def kernel_path(refs="cas", check=False, folder=""):
    return ROOT / "out" / (folder or refs + ("-check" if check else "")) / "kernel.elf"


def needed(args):
    return kernel_path(args.refs, args.check, args.kernel), ROOT / "out" / "initrd.cpio"


def command_line(args, *devices, hold=False):
    """args as boot.py's parser makes them; devices add to the machine and to the options. A guest that
    restarts ends there: it would do the same for ever, and its console would never be still."""
    words = ["hold"] * hold + [args.append] * bool(args.append)
    if args.command:
        words += ["--"] + ['"%s"' % w if " " in w else w for w in args.command]
    kernel, archive = needed(args)
    machine = ["virt"] + [m for m in (args.machine, *(d.machine for d in devices if d)) if m]
    line = [os.environ.get("QEMU", "qemu-system-riscv64"), "-machine", ",".join(machine),
            "-bios", "default", "-smp", str(args.smp), "-m", args.mem, "-kernel", str(kernel), "-initrd", str(archive),
            "-append", " ".join(words), "-nographic", "-no-reboot"]
    if args.cpu:
        line += ["-cpu", "rv64," + args.cpu]
    if args.icount:
        line += ["-icount", "shift=0"]
    return line + [option for d in devices if d for option in d.options()]


def boot(args, keep_memory=False, extra=(), **limits):
    """A guest with a monitor; with keep_memory its RAM can still be read when it is gone, and its
    registers after a panic, too: the kernel waits for that instead of powering off."""
    monitor, memory = Monitor(), Memory(args.mem) if keep_memory else None
    disks = Disks(args.disk, args.modern)
    disks.make()
    line = command_line(args, monitor, memory, disks, hold=keep_memory) + list(extra)
    return Guest(line, monitor, memory, hold=keep_memory, **limits)


def cpu_seconds(pid):
    """CPU time of a child and all of its threads; it can be read until the child is waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def queued_seconds(pid):
    """How long its threads stood in line for a CPU: a starved guest is not an idle one."""
    total = 0
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(path.read_text().split()[1])
        except (OSError, IndexError):
            pass  # the thread has just ended, or the kernel keeps no such record
    return total / 1e9


class Guest:
    """Runs QEMU; `lines()` yields console lines until it ends. Afterwards: status, log, verdict
    (ok, failed, panic, hang, crash, "cannot start: ..."), and of a hang or a panic: why, registers."""

    def __init__(self, argv, monitor=None, memory=None, beats=False, hold=False, busy_limit=BUSY_LIMIT,
                 idle_limit=IDLE_LIMIT, explain_limit=EXPLAIN_LIMIT):
        self.argv, self.monitor, self.memory = argv, monitor, memory
        self.beats, self.hold, self.held = beats, hold, False
        self.busy_limit, self.idle_limit, self.explain_limit = busy_limit, idle_limit, explain_limit
        self.log, self.status, self.verdict, self.why, self.registers = [], None, "running", "", ""
        self.rest, self.last_beat, self.process = b"", None, None
        self.moved, self.before = True, (time.monotonic(), 0.0, 0.0)
        fds = ([monitor.theirs.fileno()] if monitor else []) + ([memory.fd] if memory else [])
        try:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, bufsize=0, pass_fds=fds)
        except OSError as error:
            self.verdict = f"cannot start: {error}"
        if monitor:
            monitor.started()

    def lines(self):
        if not self.process:
            return
        try:
            yield from self._until_end()
            self._finish()
        finally:  # also when the caller stops listening
            self.process.kill()
            status = self.process.wait()
            self.status = PANIC_STATUS if self.held else status
            if self.monitor:
                self.monitor.close()

    def _until_end(self):
        tick = min(1.0, self.busy_limit / 4, self.idle_limit / 4)
        next_look = time.monotonic() + tick
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], tick)
            if ready:
                piece = os.read(self.process.stdout.fileno(), 65536)
                yield from self._take(piece)
                if not piece or self.held:
                    return
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + tick
                if self._hangs():
                    self.verdict = "hang"
                    yield from self._take(b"")
                    return

    def _take(self, piece):
        """Cut the bytes into lines; an empty piece means that the rest is the last line."""
        *complete, self.rest = (self.rest + piece).split(b"\n")
        if self.rest and (not piece or len(self.rest) > LINE_BYTES):
            complete, self.rest = complete + [self.rest], b""
        lines = [raw.decode("utf-8", "replace").rstrip("\r") for raw in complete]
        for line in lines:
            self.moved |= not self.beats or ktap.is_progress(line, self.last_beat)
            beat = ktap.BEAT.match(line)
            self.last_beat = beat.group(1) if beat else self.last_beat
            self.held |= self.hold and line == END_OF_PANIC  # it waits now to be looked at
            self.log.append(line)
            yield line
        if len(self.log) > LOG_LINES:
            self.log[LOG_LINES // 4:-LOG_LINES // 2] = ["[lines dropped here: too many]"]

    def _hangs(self):
        """Looked at once a tick: what has been used since the last tick that saw progress?"""
        pid = self.process.pid
        now = time.monotonic(), cpu_seconds(pid), queued_seconds(pid)
        if self.moved:
            self.moved, self.before = False, now
        silent, used, queued = (b - a for a, b in zip(self.before, now))
        if used > self.busy_limit:
            self.why = f"busy: no progress in {used:.0f} s of CPU time"
        elif silent > self.idle_limit and used + queued < 0.1 * silent:
            self.why = f"idle: no progress in {silent:.0f} s"
        return bool(self.why)

    def _finish(self):
        panics = [line.split("PANIC: ", 1)[1] for line in self.log if "PANIC: " in line]
        if self.verdict == "hang":
            self._explain()
        elif self.held:
            self._show_registers()
        else:
            self._wait()
        if panics:
            self.verdict, self.why = "panic", "; ".join(panics[:1] + [self.why] * bool(self.why))

    def _wait(self):
        try:
            status = self.process.wait(timeout=self.idle_limit)
            self.verdict = "crash" if status < 0 else "failed" if status else "ok"
        except subprocess.TimeoutExpired:
            self.verdict, self.why = "hang", "the console is closed, but QEMU does not end"

    def _explain(self):
        """^T on the console while the harts run, then they stop and show their registers."""
        try:
            self.process.stdin.write(b"\x14")
        except OSError:
            pass  # it no longer listens: what the monitor says must do
        deadline, piece = time.monotonic() + self.explain_limit, b"?"
        while piece and time.monotonic() < deadline and "-- end of harts --" not in self.log[-9:]:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                piece = os.read(self.process.stdout.fileno(), 65536)
                list(self._take(piece))
        time.sleep(0.1)  # until the harts have left the interrupt that showed them
        self._show_registers()

    def _show_registers(self):
        """Of all harts, stopped at once; nothing from a QEMU that is gone or mute."""
        if self.monitor:
            self.monitor.command("stop")
            answer = self.monitor.command("info registers -a")
            self.registers = answer if "CPU#" in answer else ""
