# SPDX-License-Identifier: MIT
"""The harness and gdb with the real kernel: `make CHECK=1` must have been run."""
import gzip
import json
import re
import shutil
import subprocess

import pytest

import boot
import failure
import qemu
import run as campaign

CRASH = boot.config(["/bin/crash", "0"], append="crash", smp=3, mem="64M", check=True)


def gdb(*arguments, cwd=qemu.ROOT):
    """What gdb says; none of its own files are read."""
    done = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-iex", "set auto-load no", *arguments],
                          cwd=cwd, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def panic(tmp_path_factory):
    """The folder of a guest that has panicked."""
    guest, _, place = campaign.run_and_keep(CRASH, tmp_path_factory.mktemp("crash") / "1", seed=4)
    assert (guest.verdict, guest.status) == ("panic", campaign.qemu.PANIC_STATUS)
    return place


def test_panic_keeps_log_facts_and_kernel(panic):
    log = (panic / "console.log").read_text()
    assert re.search(r"^PANIC: hart \d: asked for", log, re.M) and log.count("\nhart ") == 3
    assert re.search(r"^    0x[0-9a-f]{16} trap_syscall\+0x", log, re.M)
    facts = json.loads((panic / "facts.json").read_text())
    assert facts["seed"] == 4 and "asked for" in facts["why"]
    assert (panic / "kernel.elf").read_bytes() == qemu.kernel_path("cas", True).read_bytes()


def test_panic_keeps_registers_and_a_backtrace_of_every_hart(panic):
    text = (panic / "registers.txt").read_text()
    traces = text.split("\n\n")[0].split("CPU#")[1:]
    assert len(traces) == 3
    assert sum("test_ctl+0x" in t and "trap_syscall+0x" in t for t in traces) == 1
    assert sum("panic_poll+0x" in t and "_entry+0x" in t for t in traces) == 2  # to the bottom
    assert all(re.match(r"\d: sp 0x\w+, ra \S+\n    [a-z_]+\+0x", t) for t in traces)
    assert len(re.findall(r" x31/t6 +[0-9a-f]{16}", text)) == 3


def test_gdb_reads_the_memory_of_a_panic(panic):
    with gzip.open(panic / "memory.core.gz") as packed, open(panic / "memory.core", "wb") as core:
        shutil.copyfileobj(packed, core)
    text = gdb("-ex", "thread apply all backtrace", "-ex", "print nharts", "-ex", "print harts[2]->index",
               "-ex", "print harts[1]->current->proc", "kernel.elf", "memory.core", cwd=panic)
    assert re.findall(r"^\$\d = (.*)$", text, re.M)[:2] == ["3", "2"]
    threads = re.split(r"(?m)^Thread \d ", text)[1:]
    assert len(threads) == 3 and sum("panic_poll (" in t for t in threads) == 2
    assert sum("finish (" in t and "test_ctl (op=" in t for t in threads) == 1


def test_failed_audit_keeps_what_a_panic_keeps(tmp_path):
    """The kernel's own tests make the audit fail on purpose: here the first failure ends the guest."""
    config = boot.config(["/bin/selftest"], append="selftest auditpanic", smp=3, mem="64M", check=True)
    guest, _, place = campaign.run_and_keep(config, tmp_path / "audit")
    assert guest.verdict == "panic" and re.match(r"hart \d: audit: \d+ errors, first: ", guest.why)
    assert "\nkine: audit: " in (place / "console.log").read_text()
    traces = (place / "registers.txt").read_text().split("\n\n")[0].split("CPU#")[1:]
    assert len(traces) == 3 and sum("sys_kine_audit+0x" in trace for trace in traces) == 1
    assert gzip.open(place / "memory.core.gz").read(4) == b"\x7fELF"


def test_hung_kernel_shows_all_harts(tmp_path):
    config = boot.config(["/bin/sleep", "1000"], smp=3, mem="64M", check=True)
    guest = qemu.boot(config, keep_memory=True, idle_limit=2)
    list(guest.lines())
    place = failure.save(tmp_path / "hang", config, guest)
    guest.memory.close()
    log = (place / "console.log").read_text()
    assert guest.verdict == "hang" and "idle: no progress" in log
    assert all(f"\nhart {i}: " in log for i in range(3)) and "-- end of harts --" in log
    traces = (place / "registers.txt").read_text().split("\n\n")[0].split("CPU#")[1:]
    assert len(traces) == 3 and all("_entry+0x" in trace for trace in traces)  # to the bottom


def test_console_of_a_clean_guest():
    guest = qemu.boot(boot.config(["/bin/memaudit"], smp=2, mem="64M", check=True))
    assert sum(line.startswith("frames ") for line in guest.lines()) == 1
    assert (guest.verdict, guest.status) == ("ok", 0) and "errors 0" in "".join(guest.log)


def test_make_gdb_has_a_thread_per_hart_symbols_and_breakpoints(tmp_path):
    socket = tmp_path / "gdb"
    guest = qemu.boot(boot.config(["/bin/true"], smp=3, mem="64M", check=True),
                      extra=["-S", "-gdb", f"unix:{socket},server=on,wait=off"])
    try:
        guest.monitor.command("info status")  # answers when the socket is there
        flags = "-nx -batch -ex 'break boot_secondary' -ex 'break proc_clone' -ex continue -ex 'info threads' " \
                "-ex 'print h->index' -ex 'delete 1' -ex continue -ex backtrace -ex kill"
        done = subprocess.run(["make", "-s", "gdb", "CHECK=1", f"GDB_AT={socket}", f"GDBFLAGS={flags}"],
                              cwd=qemu.ROOT, capture_output=True, text=True, timeout=120)
    finally:
        guest.process.kill()
    at_reset, secondary, forking = re.split(r"hit Breakpoint [12], ", done.stdout + done.stderr)
    for part in (at_reset, secondary):
        assert len(re.findall(r"^[* ] \d +Thread 1\.\d \(CPU#\d", part, re.M)) == 3
    assert secondary.startswith("boot_secondary (h=") and re.search(r"^\$1 = [12]$", secondary, re.M)
    assert forking.startswith("proc_clone (") and "in trap_syscall" in forking


@pytest.mark.parametrize("machine, cpu, asked", [
    ("", "", {"sbi_send_ipi"}), ("aclint=on", "", set()), ("", "sstc=off", {"sbi_send_ipi", "sbi_set_timer"}),
    ("aclint=on", "sstc=off", {"sbi_set_timer"})])
def test_the_firmware_is_asked_only_for_what_the_machine_has_not(tmp_path, machine, cpu, asked):
    """An audit rings all harts, and each hart sets its timer; which way both go the boot line says, too."""
    config = boot.config(["/bin/memaudit"], smp=3, mem="64M", check=True, machine=machine, cpu=cpu)
    socket = tmp_path / "gdb"
    guest = qemu.boot(config, extra=["-S", "-gdb", f"unix:{socket},server=on,wait=off"])
    try:
        guest.monitor.command("info status")  # answers when the socket is there
        text = gdb("-ex", "set architecture riscv:rv64", "-ex", f"target remote {socket}", "-ex", "tbreak sbi_send_ipi",
                   "-ex", "tbreak sbi_set_timer", *["-ex", "continue"] * 3, str(qemu.kernel_path(check=True)))
        list(guest.lines())
    finally:
        guest.process.kill()
    assert guest.verdict == "ok" and "errors 0" in "".join(guest.log)
    assert set(re.findall(r"breakpoint \d, (?:0x\w+ in )?(\w+)", text)) == asked
    timer, ipi = re.search(r"timer (\w+), ipi (\w+)", "".join(guest.log)).groups()
    assert (timer, ipi) == ("sbi" if cpu else "sstc", "sswi" if machine else "sbi")


@pytest.fixture
def device_tree(tmp_path):
    """The machine's own device tree, in a file."""
    tree = tmp_path / "virt.dtb"
    subprocess.run(["qemu-system-riscv64", "-machine", f"virt,dumpdtb={tree}", "-smp", "2", "-m", "64M", "-nographic"],
                   check=True, capture_output=True, timeout=60)
    return tree


def boot_with(*options):
    line = qemu.command_line(boot.config(["/bin/true"], smp=2, mem="64M")) + list(options)
    return subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


def test_a_panic_before_there_are_devices_leaves_a_status(device_tree):
    device_tree.write_bytes(device_tree.read_bytes().replace(b"memory@", b"xxxxxx@"))
    done = boot_with("-dtb", device_tree)
    assert "PANIC: hart 0: device tree: 0 memory ranges, 2 harts" in done.stdout
    assert done.returncode == qemu.PANIC_STATUS


def test_what_the_tree_reserves_is_not_used(device_tree):
    blob = bytearray(device_tree.read_bytes())
    blob[16:20] = len(blob).to_bytes(4, "big")  # the reservation block moves behind the rest
    blob += (0x83000000).to_bytes(8, "big") + (1 << 20).to_bytes(8, "big") + bytes(16)
    blob[4:8] = len(blob).to_bytes(4, "big")
    device_tree.write_bytes(blob)
    all_of_it, rest = (int(re.search(r"^frames: (\d+)", boot_with(*options).stdout, re.M)[1])
                       for options in ([], ["-dtb", device_tree]))
    assert all_of_it - rest >= (1 << 20) // 4096
