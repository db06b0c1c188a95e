# SPDX-License-Identifier: MIT
"""nemesis.py - a seeded thread that moves and re-nices a guest's threads from outside."""
import os
import random
import threading


class Nemesis(threading.Thread):
    """Use it in a `with`; it ends with it, or when the process is gone."""

    def __init__(self, pid, seed):
        super().__init__(daemon=True)
        self.pid, self.random, self.over = pid, random.Random(seed), threading.Event()

    def run(self):
        cpus = sorted(os.sched_getaffinity(0))
        while not self.over.wait(self.random.uniform(0.02, 0.3)):
            try:
                self._move(int(self.random.choice(os.listdir(f"/proc/{self.pid}/task"))), cpus)
            except (OSError, IndexError):  # that thread has just ended, or all of them have
                if not os.path.exists(f"/proc/{self.pid}"):
                    return

    def _move(self, thread, cpus):
        if self.random.random() < 0.5:
            os.sched_setaffinity(thread, {self.random.choice(cpus)})
        else:
            os.sched_setaffinity(thread, cpus)
            os.setpriority(os.PRIO_PROCESS, thread, self.random.randrange(0, 10))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
