# SPDX-License-Identifier: MIT
"""matrix.py - the table mutant x tool of docs/testing.md: seconds until a tool found it, and whether plain
stress does. mutants.py fills it."""
import qemu

DOC = qemu.ROOT / "docs" / "testing.md"
BEGIN = "<!-- matrix: made by stress/mutants.py --matrix -->\n"
END = "<!-- end of matrix -->"
TOOLS = ["lockdep", "race detector", "ghost TLB", "KASAN", "UBSan", "audit", "schedule explorer", "fault injection",
         "unit tests", "user tests", "instruction counts", "models"]


class Matrix:
    def __init__(self):
        self.new = {}  # {mutant: {tool: seconds}}
        self.read()

    def read(self):
        """The table as it stands in the file; whoever else writes to it is not forgotten."""
        self.old, self.plains = {}, {}
        head, _, *lines = DOC.read_text().split(BEGIN)[-1].split(END)[0].splitlines()
        tools = [cell.strip() for cell in head.strip("|").split("|")][1:-1]
        for line in lines:
            name, *cells, plain = [cell.strip() for cell in line.strip("|").split("|")]
            self.old[name] = {tool: float(cell) for tool, cell in zip(tools, cells) if cell}
            if plain:
                self.plains[name] = plain

    def killed(self, name, tool, seconds):
        self.new.setdefault(name, {})[tool] = seconds

    def survived(self, name, tool):
        self.new.setdefault(name, {})[tool] = None

    def plain(self, name, words):
        self.read()
        self.plains[name] = words

    def takes(self, name, tool):
        """Seconds, as the file has them; none if it does not: what is new is looked at."""
        return self.old.get(name, {}).get(tool, 0.0)

    def lines(self, fresh):
        """Of what has been found now; not fresh: of what the file has, too."""
        table = self.new if fresh else {name: {**self.old.get(name, {}), **self.new.get(name, {})}
                                        for name in [*self.old, *self.new]}
        yield "| mutant | " + " | ".join(TOOLS) + " | plain stress |"
        yield "|---" * (len(TOOLS) + 2) + "|"
        for name in sorted(table, key=order):
            cells = ["" if table[name].get(tool) is None else f"{table[name][tool]:.1f}" for tool in TOOLS]
            yield f"| {name} | " + " | ".join(cells) + f" | {self.plains.get(name, '')} |"

    def write(self, keep):
        plains = self.plains
        self.read()
        self.plains.update(plains)
        text = DOC.read_text()
        begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        table = "".join(line + "\n" for line in self.lines(fresh=not keep))
        DOC.write_text(text[:begin] + table + text[end:])


def order(name):
    """M.. and W.. first, then those of the kernel, then those of the models."""
    return (" " in name, not (name[0] in "MW" and name[1:].isdigit()), name)
