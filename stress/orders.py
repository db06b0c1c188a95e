# SPDX-License-Identifier: MIT
"""orders.py - every atomic of the kernel that is stronger than relaxed has a row in docs/memory-model.md, and
every marked access a reason.

Site       a use of atomic_*_(acquire|release|acq_rel|full) in kernel/, but for its tests, its mutants and
           atomic.h itself; in a function, or in a macro.
Row        of a table: names the file (`mm/tlb.c`), the function and the order.
Mark       read_once, write_once or data_race in the same files, but not in the race detector, which nobody watches.
Reason     a comment on the mark's line; one alone on the line above; or `(m: who races)` in the comment of the
           line that declares the field or variable, in the same file or in a header.
"""
import re

import unmutate

USE = re.compile(r"\batomic_\w*?_(acquire|release|acq_rel|full)(?:_of)?\(")
BEGIN = re.compile(r"(?:#define |\w[^;={}()]*?\b)(\w+)\(")  # at the start of a line
COMMENT = re.compile(r"//.*")

MARK = re.compile(r"(?<!#define )\b(?:read_once|write_once|data_race)\(")
REASON = re.compile(r"\(m: \w[^)]*\)")


def code(text, begin=BEGIN):
    """(function, line) of what a normal build compiles, without the lines' comments."""
    function = None
    for line in unmutate.cut(text).splitlines():
        line = COMMENT.sub("", line)
        if head := begin.match(line):
            function = head[head.lastindex]
        yield function, line


def sites(text):
    """(function, order) of each use, in the order of the text."""
    for function, line in code(text):
        for order in USE.findall(line):
            yield function, order


def files(kernel):
    """(name, text) of what both rules are about."""
    for path in sorted(kernel.rglob("*.[ch]")):
        name = path.relative_to(kernel).as_posix()
        if not name.startswith("test/") and name != "sync/atomic.h" and not path.name.startswith("mutant_"):
            yield name, path.read_text()


def of_kernel(kernel):
    """(file, function, order), each once."""
    return sorted({(name, *site) for name, text in files(kernel) for site in sites(text)})


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


def argument(text):
    """The last name of a call's first argument, without its indices: `count` of `s[i].count[k], 1)`."""
    depth, last = 0, ""
    for word in re.findall(r"\w+|\S", text):
        if depth == 0 and word in ",)":
            break
        depth += (word in "([") - (word in ")]")
        last = word if depth == 0 and re.match(r"[A-Za-z_]", word) else last
    return last


def reasons(text):
    """Names in declarations whose comment has a reason."""
    for line in text.splitlines():
        code, _, comment = line.partition("//")
        if REASON.search(comment):
            yield from re.findall(r"(\w+)(?:\[[^]]*\])?(?= *[;,=])", code)


def unexplained(sources):
    """Marks without a reason, and reasons without a mark; sources: {file: text}."""
    sources = {file: unmutate.cut(text) for file, text in sources.items() if not file.startswith("sync/race")}
    told = {file: set(reasons(text)) for file, text in sources.items()}
    everywhere = set().union(*(names for file, names in told.items() if file.endswith(".h")))
    bad, marked = [], {}
    for file, text in sources.items():
        above = ""
        for number, line in enumerate(text.splitlines(), 1):
            code, _, comment = line.partition("//")
            for mark in MARK.finditer(code):
                name = argument(code[mark.end():])
                marked.setdefault(name, set()).add(file)
                if not comment and not above.startswith("//") and name not in told[file] | everywhere:
                    bad.append(f"{file}:{number}: {line.strip()}")
            above = line.strip()
    return bad + [f"{file}: {name} has a reason, and no mark" for file, names in told.items() for name in sorted(names)
                  if not (marked.get(name, set()) if file.endswith(".h") else marked.get(name, set()) & {file})]
