# SPDX-License-Identifier: MIT
"""summary.py - what a campaign proves, and on which machine: the contents of results.json.

Guests are independent runs with seeds of their own. If none of n fails, the probability p of a
failure is below 3/n at 95 % (rule of three: (1 - p) ** n >= 0.05). That holds for the same mixture
of configurations on this emulator; it says nothing of fences that QEMU on x86 does not need.
"""
import collections
import contextlib
import os
import subprocess


def host():
    """What the figures depend on."""
    version = "missing"
    with contextlib.suppress(OSError, IndexError):
        version = subprocess.run([os.environ.get("QEMU", "qemu-system-riscv64"), "--version"],
                                 capture_output=True, text=True, timeout=20).stdout.splitlines()[0]
    return {"cores": len(os.sched_getaffinity(0)), "load": os.getloadavg(), "qemu": version}


def claim(failed, guests, workloads=0):
    """In words, for people and for results.json. The workloads of one guest are not independent: no bound for them."""
    counted = f"{failed} of {guests} guests failed" + (f", {workloads} workloads" if workloads else "")
    if failed:
        return counted
    return counted + (f": p < {3 / guests:.2g} per guest at 95 %" if guests >= 10 else ": too few to say more")


def of_rows(rows):
    """rows: name, verdict, results [(ok, name)], seconds, rerun, saved. Results are counted by their
    first word, the workload."""
    counts = collections.defaultdict(lambda: {"ok": 0, "failed": 0})
    for ok, name in (result for row in rows for result in row["results"]):
        counts[name.split(" ")[0]]["ok" if ok else "failed"] += 1
    failed = sum(row["verdict"] != "ok" for row in rows)
    return {"verdict": "failed" if failed or not rows else "ok", "failed": failed,
            "claim": claim(failed, len(rows), sum(len(row["results"]) for row in rows)),
            "workloads": counts, "runs": [{**row, "results": len(row["results"])} for row in rows]}
