# SPDX-License-Identifier: MIT
"""mapping.py - do the models still follow the C?

A line of a model that stands for a line of the kernel says "@ function: text" (SPIN) or names
"function: text" in at() (litmus tests). Here: the function is still defined in the kernel, its body
has the text, and within one inline or process of a SPIN model a function's lines come in the order
of the C. And of a mutant of the kernel that weakens an order: what stands in its tree instead.
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(ROOT / "stress"))
import unmutate  # noqa: E402

LITMUS = ["steps.py", "protocols.py", "edges.py", "files.py", "freelists.py"]
DEFINITION = re.compile(r"^[a-z][^;{}()#=]*?\b(\w+)\([^;{}]*\)\s*\{(?:\n(.*?)^\}| ([^\n]*)\}$)",
                        re.M | re.S)
ORDERS = ("relaxed", "acquire", "release", "acq_rel", "full")
ORDER = re.compile(rf"_({'|'.join(ORDERS)})(?=_of\b|\b)")
MARK = re.compile(r"@ (\w+): (.+?)\s*$", re.M)


def squeeze(text):
    return re.sub(r"\s+", "", text)


def functions(mutant=None):
    """name -> bodies (there are designs with the same names: refs_*.h), of the kernel with that mutant or none."""
    bodies = {}
    for path in sorted((ROOT / "kernel").rglob("*.[ch]")):
        if "freelist_global" not in path.name and "mutant" not in path.name:
            for name, *body in DEFINITION.findall(unmutate.cut(path.read_text(), f"MUTANT_{mutant}")):
                bodies.setdefault(name, []).append(squeeze("".join(body)))
    return bodies


def stands(bodies, name, text, start=0):
    """Where a body of function `name` has the text, from `start` on; -1: nowhere."""
    return max((body.find(squeeze(text), start) for body in bodies.get(name, [])), default=-1)


def blocks(text):
    """The inlines and processes of a SPIN model, one string each."""
    return re.split(r"(?m)^(?=inline|proctype|init\b)", text)


def litmus_marks():
    """All that the litmus tests name."""
    text = "".join((HERE / name).read_text() for name in LITMUS)
    return set(re.findall(r'"(\w+): ([^"]*\([^"]*)"', text))


def weakened(mutant):
    """{"function: text": order} of the litmus tests' lines that its tree has otherwise; a fence may be gone."""
    bodies, found = functions(mutant), {}
    for name, text in litmus_marks():
        if stands(bodies, name, text) < 0:
            there = [order for order in ORDERS if stands(bodies, name, ORDER.sub(f"_{order}", text, count=1)) >= 0]
            if not there and "atomic_fence_" not in text:
                raise SystemExit(f"{mutant}: {name} has no `{text}`, with any order")
            found[f"{name}: {text}"] = there[0] if there else "relaxed"
    return found


def check():
    """(how many lines are mapped, what is wrong)."""
    bodies, count, wrong = functions(), 0, []
    for path in sorted([*HERE.glob("*.pml"), *HERE.glob("*.inc")]):
        for block in blocks(path.read_text()):
            reached = {}
            for name, text in MARK.findall(block):
                count += 1
                where = stands(bodies, name, text, reached.get(name, 0))
                if where < 0:
                    order = "" if stands(bodies, name, text) < 0 else ", but earlier"
                    wrong.append(f"{path.name}: {name} has no `{text}`" + order)
                reached[name] = max(where, 0)
    for name, text in sorted(litmus_marks()):
        count += 1
        if stands(bodies, name, text) < 0:
            wrong.append(f"litmus tests: {name} has no `{text}`")
    return count, wrong
