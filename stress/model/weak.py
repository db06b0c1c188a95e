# SPDX-License-Identifier: MIT
"""weak.py - explores every outcome of a small program of C11 atomics.

Model      Views (Kang et al., POPL 2017, without promises; RC11 of Lahav et al., PLDI 2017). An atomic
           word is a list of messages in coherence order. A thread's view says, for each word, the
           oldest message that it may still read; a message carries what its writer lets others know.
             load      any message not older than the view; acquire takes over the message's view
             store     at any place behind the view; release gives the own view away, else the view
                       of the last release fence
             swap &c.  directly behind the message that is read, glued to it, and carries its view on
                       (release sequences, as in C++20: only read-modify-writes continue one)
             fence     acquire: knows what all its loads could have told; release: later stores tell
                       all; full: both, and meets one common view
Plain data has no order of its own: two accesses of which one writes, and neither happens before the
           other, are a race, and a race is an outcome. For that, views have a clock per thread, too.
Programs   threads are generators: `old = yield swap("word", 1, "acquire", tag="lock")`. A thread's
           state is what its operations returned, so states can be compared and each is seen once.
           A `want` waits: only these values are read. Who waits for ever is `stuck`.
Not        load buffering and values out of thin air (RC11 forbids them, RVWMO and C11 do not: races on
covered    plain data stand for it); dependencies (RVWMO orders by them, so a weakness found here may
           be none there: models.md); mixed sizes; loops that are not waits; devices.
"""
from collections import namedtuple

Op = namedtuple("Op", "kind word new order want tag")
Message = namedtuple("Message", "value view glued")
Thread = namedtuple("Thread", "history now collected released")  # what it did; three views
State = namedtuple("State", "threads words common cells")
Cell = namedtuple("Cell", "value written read")  # plain data: (thread, clock) of each last access

ACQUIRES, RELEASES = ("acquire", "acq_rel", "full"), ("release", "acq_rel", "full")
# One step weaker.
WEAKER = {"acquire": ["relaxed"], "release": ["relaxed"], "acq_rel": ["acquire", "release"],
          "full": ["acq_rel"], "relaxed": []}


# ---- what a thread can do ----

def load(word, order="relaxed", want=None, tag=None):
    return Op("load", word, None, order, want, tag)


def store(word, value, order="relaxed", tag=None):
    return Op("store", word, lambda _: value, order, None, tag)


def update(word, new, order="relaxed", want=None, tag=None):
    """Read-modify-write; `new` maps the old value to the new one, or to None: no write."""
    return Op("update", word, new, order, want, tag)


def swap(word, value, order="relaxed", want=None, tag=None):
    return update(word, lambda _: value, order, want, tag)


def add(word, n, order="relaxed", tag=None):
    return update(word, lambda old: old + n, order, None, tag)


def cas(word, expected, value, order="relaxed", tag=None):
    return update(word, lambda old: value if old == expected else None, order, None, tag)


def fence(order, tag=None):
    return Op("fence", None, None, order, None, tag)


def read(cell):
    return Op("read", cell, None, None, None, None)


def write(cell, value):
    return Op("write", cell, lambda _: value, None, None, None)


# ---- views: one number per word (a place in its list), then one clock per thread ----

def join(a, b):
    return tuple(map(max, a, b))


def raised(view, i, value):
    return view[:i] + (max(view[i], value),) + view[i + 1:]


class Program:
    """threads: generator functions; words, cells: name -> initial value. weaken: {tag: order}."""

    def __init__(self, threads, words, cells=None, weaken=None):
        self.code, self.weaken = threads, weaken or {}
        self.words = {name: i for i, name in enumerate(words)}
        self.cells = {name: i for i, name in enumerate(cells or {})}
        zero = (0,) * (len(words) + len(threads))
        start = Thread((), zero, zero, zero)
        self.start = State((start,) * len(threads),
                           tuple((Message(v, zero, False),) for v in words.values()), zero,
                           tuple(Cell(v, None, ()) for v in (cells or {}).values()))
        self.steps = {}  # (thread, history) -> (next operation or None, result)
        self.states = 0

    def next_op(self, t, history):
        key = t, history
        if key not in self.steps:
            run = self.code[t]()
            try:
                op = next(run)
                for value in history:
                    op = run.send(value)
                order = self.weaken.get(op.tag, op.order)
                self.steps[key] = op._replace(order=order), None
            except StopIteration as end:
                self.steps[key] = None, end.value
        return self.steps[key]

    def outcomes(self):
        """Every outcome: a tuple of the threads' results ('stuck' who waits), or ('race', cell)."""
        seen, todo, found = {self.start}, [self.start], set()
        while todo:
            state = todo.pop()
            following = self.successors(state)
            if following is None:
                found.add(self.result(state))
                continue
            for s in following:
                if s[0] == "race":
                    found.add(s)
                elif s not in seen:
                    seen.add(s)
                    todo.append(s)
        self.states = len(seen)
        return found

    def result(self, state):
        steps = [self.next_op(t, th.history) for t, th in enumerate(state.threads)]
        return tuple("stuck" if op else value for op, value in steps)

    def successors(self, state):
        """None at an end. Steps that commute with all others' (plain, one-sided fences) go first."""
        ops = [self.next_op(t, th.history)[0] for t, th in enumerate(state.threads)]
        for t, op in enumerate(ops):
            if op and op.kind in ("read", "write"):
                return [self.plain(state, t, op)]
            if op and op.kind == "fence" and op.order != "full":
                return [self.fenced(state, t, op)]
        all_of = []
        for t, op in enumerate(ops):
            if op:
                all_of += [self.fenced(state, t, op)] if op.kind == "fence" else self.atomic(state, t, op)
        return all_of or None

    # ---- steps ----

    @staticmethod
    def moved(state, t, thread, value, **changes):
        thread = thread._replace(history=thread.history + (value,))
        threads = state.threads[:t] + (thread,) + state.threads[t + 1:]
        return state._replace(threads=threads, **changes)

    def fenced(self, state, t, op):
        th, common = state.threads[t], state.common
        if op.order in ACQUIRES:
            th = th._replace(now=th.collected)
        if op.order == "full":
            common = join(common, th.now)
            th = th._replace(now=common, collected=common)
        if op.order in RELEASES:
            th = th._replace(released=th.now)
        return self.moved(state, t, th, None, common=common)

    def plain(self, state, t, op):
        th, i, n = state.threads[t], self.cells[op.word], len(self.words)
        cell = state.cells[i]
        others = [cell.written] if cell.written else []
        if op.kind == "write":
            others += cell.read
        if any(th.now[n + who] < clock for who, clock in others):
            return "race", op.word
        mine = t, th.now[n + t] + 1
        now = raised(th.now, n + t, mine[1])
        th = th._replace(now=now, collected=join(th.collected, now))
        if op.kind == "write":
            cell = Cell(op.new(None), mine, ())
        else:
            cell = cell._replace(read=tuple(r for r in cell.read if r[0] != t) + (mine,))
        cells = state.cells[:i] + (cell,) + state.cells[i + 1:]
        return self.moved(state, t, th, cell.value, cells=cells)

    def atomic(self, state, t, op):
        th, x = state.threads[t], self.words[op.word]
        line = state.words[x]
        following = []
        for i in range(th.now[x], len(line)):
            glued_behind = i + 1 < len(line) and line[i + 1].glued
            if op.kind == "store":
                if not glued_behind:
                    following.append(self.written(state, t, th, op, x, i + 1, op.new(None), None))
                continue
            old = line[i].value
            if op.want is not None and old not in op.want:
                continue
            new = op.new(old) if op.kind == "update" else None
            if new is not None and glued_behind:
                continue
            reader = self.told(th, op, x, i, line[i])
            if new is None:
                following.append(self.moved(state, t, reader, old))
            else:
                following.append(self.written(state, t, reader, op, x, i + 1, new, line[i], old))
        return following

    @staticmethod
    def told(th, op, x, i, message):
        now = raised(th.now, x, i)
        if op.order in ACQUIRES:
            now = join(now, message.view)
        return th._replace(now=now, collected=join(join(th.collected, now), message.view))

    def written(self, state, t, th, op, x, place, value, source, old=None):
        """Put a message at `place` of word x; what was there and behind moves on by one."""
        if place < len(state.words[x]):
            state, th = self.shifted(state, th, x, place)
            source = source and state.words[x][place - 1]
        now = raised(th.now, x, place)
        th = th._replace(now=now, collected=join(th.collected, now))
        view = raised(now if op.order in RELEASES else th.released, x, place)
        if source:
            view = join(view, source.view)
        line = state.words[x]
        line = line[:place] + (Message(value, view, source is not None),) + line[place:]
        return self.moved(state, t, th, old, words=state.words[:x] + (line,) + state.words[x + 1:])

    @staticmethod
    def shifted(state, th, x, place):
        def move(view):
            return raised(view, x, view[x] + 1) if view[x] >= place else view

        def thread(t):
            return Thread(t.history, move(t.now), move(t.collected), move(t.released))
        words = tuple(tuple(Message(m.value, move(m.view), m.glued) for m in line) for line in state.words)
        return State(tuple(map(thread, state.threads)), words, move(state.common), state.cells), thread(th)
