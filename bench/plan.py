# SPDX-License-Identifier: MIT
"""plan.py - what is measured, with how many operations.

Counts are fixed: a run does the same work every time, whatever the machine. In the throughput view
they are totals over all workers, chosen so that a point takes about a third of a second on two slow cores; a run
has ROUNDS of them.
"""

REFS = ("cas", "freelock", "biglock")
WORKERS = "1,2,4,8"

# bench: total operations of a throughput point.
THROUGHPUT = {
    "spin": 80000,
    "fork_exit": 400,
    "fork_write": 200,
    "sole_owner": 200,
    "alloc": 800,
    "shared_parent": 400,
    "fork_exec": 160,
    "spawn_exec": 160,
    "null_syscall": 160000,
    "pingpong": 6400,
    "cow_copy_fault": 12288,
    "cow_reuse_fault": 12288,
    "zero_fault": 12288,
    "thread_fault": 12288,
    "thread_mixed": 12288,
}
ROUNDS = 3

# bench: operations of an instruction count. They are exact: few are enough.
INSTRUCTIONS = {
    "null_syscall": 10000,
    "cow_copy_fault": 5120,
    "cow_reuse_fault": 5120,
    "zero_fault": 5120,
    "read_fault": 5120,
    "fork_exit": 100,
    "fork_write": 50,
    "sole_owner": 50,
    "alloc": 100,
    "shared_parent": 100,
    "fork_exec": 50,
    "spawn_exec": 50,
    "pingpong": 2000,
    "pipe_self": 2000,
    "yield_alone": 2000,
    "mmap_call": 50,
    "munmap_page": 5120,
}

# bench: operations of a figure of the tools' slowdown.
SLOWDOWN = {
    "null_syscall": 200,
    "cow_copy_fault": 5120,
    "cow_reuse_fault": 5120,
    "zero_fault": 5120,
    "fork_exit": 20,
    "pingpong": 50,
}

# Threads of one process, one and two of them on the one hart: the same work, counted.
INSTRUCTIONS_THREADS = {"thread_fault": 5120, "thread_mixed": 5120}

SIZES = (0, 1, 4, 16, 64, 256, 1024)
INSTRUCTIONS_MEM = "2G"  # room for the largest


def _sizes(counts):
    return [f"fork_size size={size} ops={count}" for size, count in zip(SIZES, counts)]


def throughput(workers=WORKERS, quick=False):
    """The command that measures one kernel's throughput."""
    share = 8 if quick else 1
    words = [f"bench workers={workers}"]
    words += [f"{name} total={max(total // share, 8)}" for name, total in THROUGHPUT.items()]
    counts = (10, 10, 5, 5, 2, 1) if quick else (40, 40, 24, 12, 5, 2)
    words += [f"{word} workers=1" for word in _sizes(counts)[1:]]
    return " ".join(words)


def instructions(quick=False):
    """The command that counts instructions, for one hart under -icount shift=0."""
    share = 5 if quick else 1
    words = ["bench clock=instret"]
    words += [f"{name} ops={max(ops // share, 10)}" for name, ops in INSTRUCTIONS.items()]
    words += [f"{name} workers=1,2 total={max(ops // share, 10)}" for name, ops in INSTRUCTIONS_THREADS.items()]
    return " ".join(words + _sizes((20, 20, 10, 10, 10, 10, 10)))


def slowdown():
    """The commands that count instructions of what SLOWDOWN names. Each is for a guest of its own: the more
    processes there have been, the longer are the race detector's clocks."""
    return [f"bench clock=instret {name} ops={ops}" for name, ops in SLOWDOWN.items()]


# bench: total operations of a point of the ratio from 1 to 2 workers: a twentieth to a tenth of a second, so
# that the two points of a pair, and the control before and after it, meet the host in the same mood.
CONTROL = {"spin": 15000}
SCALING = {
    "fork_exit": 400,
    "fork_write": 50,
    "alloc": 200,
    "null_syscall": 30000,
}
# The same of threads of one process.
SCALING_THREADS = {
    "thread_fault": 16384,
    "thread_mixed": 16384,
}
PAIRS = 40


def scaling(quick=False, benches=None):
    """The command for one run of the ratio: PAIRS times each benchmark with 1 worker, then with 2, and
    before each the control."""
    words = [f"{name} total={total}" for bench in (benches or SCALING).items()
             for name, total in [*CONTROL.items(), bench]]
    return " ".join([f"bench times={PAIRS // 8 if quick else PAIRS} workers=1,2"] + words)


def fork_wall(sizes, quick=False):
    """The command that times fork with heaps of these sizes in turns."""
    words = [f"fork_size size={size} ops=100" for size in [*sizes, *reversed(sizes)]]
    return " ".join([f"bench workers=1 times={20 if quick else 400}", *words])


def points_expected(command):
    """How many lines a command will print."""
    expected, common, own, times = 0, 1, None, 1  # own: the named benchmark's number of points
    for word in command.split()[1:] + ["end"]:
        key, _, value = word.partition("=")
        if key == "workers" and own is None:
            common = len(value.split(","))
        elif key == "workers":
            own = len(value.split(","))
        elif key == "times":
            times = int(value)
        elif not value:
            expected += own or 0
            own = common
    return expected * times
