# SPDX-License-Identifier: MIT
"""ktap.py - result lines out of a console log.

A suite opens with "KTAP version 1" and has one plan, before or behind its results, which are
numbered 1, 2, 3 ... The log is complete only if every suite keeps its plan and its numbering: a
result line that garbage cut up, or that never came, is missed. All other lines are comments.
"""
import re

RESULT = re.compile(r"^(not ok|ok) (\d+)(?:$|[ \t]+(?:- ?)?(.*)$)")
PLAN = re.compile(r"^1\.\.(\d+)\s*$")
VERSION = re.compile(r"^KTAP version \d+\s*$")
BEAT = re.compile(r"^# beat (.*)$")


def parse(lines):
    """[(ok, name)] of the result lines, and whether every suite is complete."""
    results, suites = [], [([], [])]  # a suite: plans, numbers; the first one has no version line
    for line in lines:
        plan, result = PLAN.match(line), RESULT.match(line)
        if VERSION.match(line):
            suites.append(([], []))
        elif plan:
            suites[-1][0].append(int(plan.group(1)))
        elif result:
            suites[-1][1].append(int(result.group(2)))
            results.append((result.group(1) == "ok", (result.group(3) or "").strip()))
    return results, suites[0] == ([], []) and all(_kept(*suite) for suite in suites[1:])


def _kept(plans, numbers):
    return len(plans) == 1 and numbers == list(range(1, plans[0] + 1))


def is_progress(line, last_beat):
    """In a guest that beats, only these lines say that it gets on: what else it prints may be the
    chatter of a livelock. A beat counts when it differs from the one before."""
    beat = BEAT.match(line)
    return beat.group(1) != last_beat if beat else any(p.match(line) for p in (RESULT, PLAN, VERSION))
