#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py - check the models: mapping to the C, litmus tests, SPIN searches, mutants. KTAP.

    stress/model/run.py            small bounds, every mutant: three to four minutes
    stress/model/run.py --full     large bounds, every mutant
    stress/model/run.py --mutant cow FORK_NO_SHOOTDOWN    show how it goes wrong, step by step
    stress/model/run.py --litmus idle [idle_unfenced]     one litmus test, with the orders of the kernel
                                                          or of its tree with that MUTANT

A correct model must be searched to its end without an error; a mutant must not pass.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import classics
import edges
import files
import freelists
import mapping
import protocols
import weak

sys.path.append(str(mapping.ROOT / "stress"))
import orders  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MEMORY_MB = 2500
MEMORY_MB_FULL = 5000
# Model: the searches of every day; those of --full; where else its mutants stand (they have no options).
MODELS = {
    "cow": ([["-DFAILURES"], ["-DAT_FIRST=2"]], [["-DFAILURES", "-DAT_FIRST=2"], ["-DOPS=2"]], []),
    "shootdown": ([[], ["-DALONE", "-DMOVES=3"]], [["-DROUNDS=2", "-DALONE", "-DMOVES=3"], ["-DMOVES=2"]], []),
    "freelist": ([["-DOPS=1"]], [[]], []),
    "waitq": ([[]], [["-DSLEEPERS=3"]], ["sleep.inc"]),
    "mutex": ([[]], [["-DSECTIONS=2"]], []),
    "exit": ([[]], [[]], []),
    "tables": ([["-DSTART=15"], ["-DSTART=16", "-DNARROW"], ["-DLEVELS=3", "-DSTART=4", "-DNARROW"]],
               [[], ["-DSTART=4", "-DSTORES=2"],
                *(["-DLEVELS=3", f"-DSTART={s}", "-DNARROW"] for s in (3, 12, 16))], []),
}
# Where a mutant shows, if not (or much later) in the bounds that the model has without options.
SHOWS = {
    ("shootdown", "GENERATION_LATE"): ["-DALONE", "-DMOVES=3"],
    ("shootdown", "RAISED_EARLY"): ["-DALONE", "-DMOVES=3"],
    ("tables", "PRIVATE_KEEPS_OWNED"): ["-DLEVELS=3", "-DSTART=4", "-DNARROW"],
    ("tables", "UNMAP_TOP_SHARED"): ["-DLEVELS=3", "-DSTART=16", "-DNARROW"],
    ("tables", "OWN_UNLOCKED"): ["-DSTART=16", "-DNARROW"],
}
# So many states at least in the largest search of a model, or its bounds have shrunk.
AT_LEAST = {"cow": 10**6, "shootdown": 10**6, "freelist": 10**6, "tables": 10**6}


class Results:
    def __init__(self):
        self.count = self.failed = self.states = 0

    def one(self, ok, name, details=()):
        self.count += 1
        self.failed += not ok
        print(f"{'' if ok else 'not '}ok {self.count} - {name}", flush=True)
        for line in details:
            print("#   " + line)


# ---- weak memory ----

def classic_tests(results):
    for name, threads, words, outcome, allowed in classics.CLASSICS:
        seen = outcome in weak.Program(threads, words).outcomes()
        results.one(seen == allowed, f"litmus: {name}: {'allowed' if seen else 'forbidden'}")


def wrong_outcomes(test, weaken=None):
    program = weak.Program(test.threads, test.words, test.cells, weaken)
    wrong = sorted((o for o in program.outcomes()
                    if o[0] == "race" or "stuck" in o or (test.bad and test.bad(o))), key=str)
    orders = {(op.tag, op.order) for op, _ in program.steps.values() if op and op.tag}
    return wrong, orders


def protocol_tests(results):
    """Each test as the kernel is; then every order weakened by one step, in all tests that have it."""
    weakened = {}
    for test in protocols.TESTS:
        wrong, orders = wrong_outcomes(test)
        results.one(not wrong, f"kernel: {test.name}", map(str, wrong[:3]))
        for tag, order in orders:
            for weaker in weak.WEAKER[order]:
                start = time.monotonic()
                shown = weakened.setdefault((tag, weaker), [])
                bad = wrong_outcomes(test, {tag: weaker})[0]
                if bad:
                    shown.append(f"{test.name.split(':')[0]}: {bad[0]} (in {time.monotonic() - start:.1f} s)")
    for (tag, weaker), shown in sorted(weakened.items()):
        slack = (tag, weaker) in protocols.SLACK
        what = "not needed, as docs/memory-model.md says" if not shown else f"goes wrong: {shown[0]}"
        results.one(bool(shown) != slack, f"weakened: {tag} to {weaker}: {what}")
    for test in protocols.LIMITS:
        results.one(bool(wrong_outcomes(test)[0]), f"kernel: {test.name}")


def kernel_test(results, name, mutant=None):
    """The litmus test that the function `name` makes, or several; what the C has is what is tested."""
    tests = [t for t in protocols.TESTS if t.threads[0].__qualname__.split(".")[0] == name]
    orders = mapping.weakened(mutant) if mutant else {}
    for mark, order in orders.items():
        print(f"# {mutant}: {mark}: {order}")
    if not tests or (mutant and not orders):
        raise SystemExit(f"no test {name}" if not tests else f"{mutant} weakens nothing that a test knows")
    for test in tests:
        wrong, _ = wrong_outcomes(test, orders)
        results.one(not wrong, f"kernel: {test.name}", map(str, wrong[:3]))


def documented(results):
    text = (mapping.ROOT / "docs" / "memory-model.md").read_text()
    names = {tag.split(":")[0] for tag, _ in protocols.SLACK}
    missing = [n for n in sorted(names) if f"`{n}`" not in text.split("## Stronger than needed")[-1]]
    results.one(not missing, "docs/memory-model.md explains what is stronger than needed", missing)
    rows = text.split("\n\n")[2].splitlines()[2:]
    unknown = [row for row in rows if not all(any(hasattr(part, n) for part in (protocols, edges, files, freelists))
                                              for n in re.findall(r"`(\w+)`", row.split("|")[-2]) or ["none"])]
    results.one(len(rows) > 0 and not unknown, f"docs/memory-model.md: {len(rows)} orders have their litmus tests",
                unknown)
    read = {(name, order) for name, line in mapping.litmus_marks() for order in mapping.ORDER.findall(line)}
    of_rows = [(site, set(re.findall(r"[\w./]+", row)))
               for row in rows for site in orders.of_kernel(mapping.ROOT / "kernel")]
    unread = sorted({": ".join(site) for site, words in of_rows if set(site) <= words and site[1:] not in read})
    results.one(not unread, "docs/memory-model.md: the litmus tests read these orders in the C", unread)


def mapped(results):
    count, wrong = mapping.check()
    results.one(count > 0 and not wrong, f"mapping: {count} lines of the models stand in the C", wrong)


# ---- SPIN ----

def search(model, options, optimise, folder):
    """(complete and without error, states, what pan said). The folder keeps the trail."""
    def do(*command):
        return subprocess.run(["nice", "-n", "10", *command], cwd=folder, capture_output=True, text=True)
    made = do("spin", "-a", *options, str(HERE / f"{model}.pml"))
    memory = MEMORY_MB_FULL if "--full" in sys.argv else MEMORY_MB
    built = do("gcc", optimise, "-w", "-DSAFETY", f"-DMEMLIM={memory}", "-o", "pan", "pan.c")
    if made.returncode or built.returncode:
        raise SystemExit(f"{model}: {made.stdout}{built.stderr}")
    out = do("./pan", "-m100000").stdout
    states = int(re.search(r"(\d+) states, stored", out).group(1))
    short = re.search(r"not completed|max search depth|memory limit|bytes limit", out)
    complete = "errors: 0" in out and not short
    return complete, states, out


def searched(results, model, options):
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        ok, states, out = search(model, options, "-O1", folder)
    results.states += states
    memory = re.search(r"([\d.]+)\s+total actual memory", out)
    results.one(ok, f"{model}{' '.join(['', *options])}: {states} states, "
                    f"{memory.group(1) if memory else '?'} MB, {time.monotonic() - start:.1f} s",
                [] if ok else out.splitlines()[:6])
    return states


def mutants_of(model):
    texts = [(HERE / name).read_text() for name in (f"{model}.pml", *MODELS[model][2])]
    return sorted(set(re.findall(r"\bMUTANT_(\w+)", " ".join(texts))))


def mutant_killed(results, model, mutant):
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        _, states, out = search(model, [f"-DMUTANT_{mutant}", *SHOWS.get((model, mutant), [])], "-O0", folder)
    said = re.search(r"pan:1: (assertion violated|invalid end state)", out)
    results.one(bool(said), f"{model}, mutant {mutant}: {said.group(1) if said else 'survives'} "
                            f"({states} states, in {time.monotonic() - start:.1f} s)")


def show(model, mutant):
    options = [f"-DMUTANT_{mutant}", *SHOWS.get((model, mutant), [])]
    with tempfile.TemporaryDirectory() as folder:
        search(model, options, "-O0", folder)
        subprocess.run(["./pan", "-i", "-m400"], cwd=folder, capture_output=True)
        trail = subprocess.run(["spin", "-t", "-p", "-g", *options, "-k", f"{model}.pml.trail",
                                str(HERE / f"{model}.pml")], cwd=folder, capture_output=True, text=True)
    print(trail.stdout.replace(str(HERE) + "/", ""))


def main():
    if "--mutant" in sys.argv:
        return show(*sys.argv[sys.argv.index("--mutant") + 1:][:2])
    full, results = "--full" in sys.argv, Results()
    print("KTAP version 1")
    if "--litmus" in sys.argv:
        kernel_test(results, *sys.argv[sys.argv.index("--litmus") + 1:][:2])
        return results.failed != 0
    mapped(results)
    documented(results)
    classic_tests(results)
    protocol_tests(results)
    for model, (small, large, _) in MODELS.items():
        states = max(searched(results, model, options) for options in (large if full else small))
        if model in AT_LEAST:
            results.one(states >= AT_LEAST[model], f"{model}: at least {AT_LEAST[model]} states in one search")
    for model in MODELS:
        for mutant in mutants_of(model):
            mutant_killed(results, model, mutant)
    print(f"1..{results.count}\n# {results.states} states in the correct models, {results.failed} failed")
    return results.failed != 0


if __name__ == "__main__":
    sys.exit(main())
