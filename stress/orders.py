# SPDX-License-Identifier: MIT
"""orders.py - every atomic of the kernel that is stronger than relaxed has a row in docs/memory-model.md.

Site       a use of atomic_*_(acquire|release|acq_rel|full) in kernel/, but for its tests, its mutants and
           atomic.h itself; in a function, or in a macro.
Row        of a table: names the file (`mm/tlb.c`), the function and the order.
"""
import re

import unmutate

USE = re.compile(r"\batomic_\w*?_(acquire|release|acq_rel|full)(?:_of)?\(")
BEGIN = re.compile(r"(?:#define |\w[^;={}()]*?\b)(\w+)\(")  # at the start of a line
COMMENT = re.compile(r"//.*")


def sites(text):
    """(function, order) of each use, in the order of the text."""
    function = None
    for line in unmutate.cut(text).splitlines():
        line = COMMENT.sub("", line)
        if begin := BEGIN.match(line):
            function = begin.group(1)
        for order in USE.findall(line):
            yield function, order


def of_kernel(kernel):
    """(file, function, order), each once."""
    found = set()
    for path in sorted(kernel.rglob("*.[ch]")):
        name = path.relative_to(kernel).as_posix()
        if not name.startswith("test/") and name != "sync/atomic.h" and not path.name.startswith("mutant_"):
            found |= {(name, function, order) for function, order in sites(path.read_text())}
    return sorted(found)


def undocumented(found, document):
    """Sites without a row."""
    rows = [set(re.findall(r"[\w./]+", line)) for line in document.splitlines() if line.startswith("|")]
    return [f"{file}: {function}: {order}" for file, function, order in found
            if not any({file, function, order} <= row for row in rows)]


def unused(found, document):
    """(row's file, function) of rows that name what is no longer there: `file`: `function`."""
    there = {(file, function) for file, function, _ in found}
    named = {(file, function) for line in document.splitlines() if line.startswith("|")
             for file, functions in re.findall(r"([\w/]+\.[ch]): (`\w+`(?:, `\w+`)*)", line)
             for function in re.findall(r"\w+", functions)}
    return [f"{file}: {function}" for file, function in sorted(named - there)]
