# SPDX-License-Identifier: MIT
"""unmutate.py - the kernel's sources with every mutant cut out of them, as unifdef would: a normal build must
be made of exactly that. Or with one left in: what the litmus tests of stress/model read."""
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

MUTANT = re.compile(r"\bMUTANT_\w+")
IF, ELSE, ENDIF = re.compile(r"#\s*(?:if|elif)"), re.compile(r"#\s*(else|elif)"), re.compile(r"#\s*endif")


def truth(line, on):
    """Of a condition without any mutant but `on`, whatever else is defined: what also hangs on that is cut out."""
    if line.startswith(("#ifdef", "#ifndef")):
        return (MUTANT.search(line).group() == on) == line.startswith("#ifdef")
    words = re.sub(r"#\s*\w+|//.*|[\\\v]", " ", line).strip()
    words = re.sub(r"defined\((MUTANT_\w+)\)", lambda name: str(name[1] == on), words)
    words = words.replace("!", " not ").replace("&&", " and ").replace("||", " or ")
    return all(eval(re.sub(r"defined\(\w+\)", other, words)) for other in ("True", "False"))


def cut(text, on=None):
    """Lines that a mutant alone (but MUTANT_... `on`) would see become empty, and so do the conditions
    about mutants."""
    out, stack = [], []  # of each #if: [about mutants, this branch stays, a branch has been taken]
    for line in re.sub(r"\\\n", " \\\\\v", text).split("\n"):
        about, keep = bool(MUTANT.search(line)), all(frame[1] for frame in stack)
        if ELSE.match(line) and stack[-1][0]:
            value = truth(line, on) if about else True
            stack[-1][1:] = [value and not stack[-1][2], stack[-1][2] or value]
            line = ""
        elif ENDIF.match(line):
            line = "" if stack.pop()[0] or not keep else line
        elif IF.match(line) and not ELSE.match(line):
            value = not about or truth(line, on)
            stack.append([about, value, value])
            line = line if keep and not about else ""
        else:
            line = line if keep else ""
        out.append(line)
    return "\n".join(out).replace("\v", "\n")


def different(root, objects, compile_line):
    """Sources of these objects that say something else to the compiler when all mutants are cut out."""
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(root / "kernel", Path(folder) / "kernel")
        for path in Path(folder).rglob("*.[chS]"):
            path.write_text(cut(path.read_text()))
        for deps in sorted(objects.rglob("*.d")):
            name = deps.read_text().split()[1]
            runs = [subprocess.run([*compile_line, "-E", "-P", name], cwd=where, capture_output=True)
                    for where in (root, folder)]
            bad += [name] * (runs[0].returncode != 0 or runs[0].stdout != runs[1].stdout)
    return bad
