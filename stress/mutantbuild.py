# SPDX-License-Identifier: MIT
"""mutantbuild.py - a mutant's kernel in a second: a copy of the clean one's objects, of which only those
are compiled again that can differ: whose source, or a header of it, mentions the mutant.

    stress/mutantbuild.py M18 [cas]     for the Makefile: the REFS to build it with, or what is wrong
"""
import functools
import re
import shutil
import subprocess
import sys

from qemu import ROOT

OUT = ROOT / "out"


def make(*words):
    subprocess.run(["make", "-s", "-j2", "-C", str(ROOT), *words, "kernel"], check=True, stdout=subprocess.DEVNULL)


def name(refs, tools, mutant=""):
    """As the Makefile names folders of out/."""
    return "-".join([refs, *(t.lower() for t in tools)] + [mutant] * bool(mutant))


@functools.cache
def clean(refs, tools):
    """Folder of the kernel without a mutant, built."""
    make(f"REFS={refs}", *(t + "=1" for t in tools))
    return name(refs, tools)


def mentioning(mutant):
    """Sources that differ: they say MUTANT_..., or the name of the kernel, which has the mutant in it."""
    word = re.compile(rf"\b(MUTANT_{mutant}|KERNEL_NAME)\b")
    return {p.relative_to(ROOT).as_posix() for p in (ROOT / "kernel").rglob("*.[chS]") if word.search(p.read_text())}


def build(refs, tools, mutant):
    """Folder of the mutant's kernel."""
    folder, source = name(refs, tools, mutant), clean(refs, tools)
    shutil.rmtree(OUT / folder, ignore_errors=True)
    shutil.copytree(OUT / source, OUT / folder, ignore=shutil.ignore_patterns("kernel.elf*"))
    different = mentioning(mutant)
    for deps in (OUT / folder).rglob("*.d"):
        text = deps.read_text()
        deps.write_text(text.replace(f"out/{source}/", f"out/{folder}/"))
        if different & set(text.split()):
            deps.with_suffix(".o").unlink()
    make(f"REFS={refs}", f"MUTANT={mutant}", *(t + "=1" for t in tools))
    return folder


def host(refs, tests, mutant=""):
    """Folder of the unit tests on this machine, one build of kernel/test/host/host.mk."""
    folder = "host" + f"-{mutant}" * bool(mutant)
    subprocess.run(["make", "-s", "-j2", "-C", str(ROOT), f"REFS={refs}", f"MUTANT={mutant}",
                    f"out/{folder}/{refs}-{tests}/units"], check=True, stdout=subprocess.DEVNULL)
    return folder


def remove(folder):
    shutil.rmtree(OUT / folder, ignore_errors=True)


# ---- which REFS ----

REFS = ("cas", "freelock", "biglock")


def stands(mutant, refs):
    """Does a kernel with these counts have the switch? Not all files are in all of them."""
    others = f"freelist_{'global' if refs == 'cas' else 'hart'}.c"

    def text(path, *flags):
        return subprocess.run(["riscv64-unknown-elf-gcc", "--specs=picolibc.specs", "-E", "-P", "-Ikernel",
                               f"-DREFS_{refs.upper()}", *flags, path],
                              cwd=ROOT, check=True, capture_output=True).stdout
    word = re.compile(rf"\bMUTANT_{mutant}\b")
    sources = {p.parent / "refs.h" if p.name.startswith("refs_") else p
               for p in (ROOT / "kernel").rglob("*.[chS]") if p.name != others and word.search(p.read_text())}
    return any(text(p) != text(p, f"-DMUTANT_{mutant}") for p in sources)


def main(mutant, refs=None):
    import mutants  # which needs this file
    rows = [m for m in mutants.rows() if m.name == mutant]
    if not rows:
        return "there is no such row in docs/mutants.md"
    if refs and refs != rows[0].refs and not stands(mutant, refs):
        able = " or ".join(r for r in REFS if stands(mutant, r))
        return f"it does not stand in the tree of REFS={refs}: take REFS={able}"
    return refs or rows[0].refs


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
