# SPDX-License-Identifier: BSD-2-Clause
"""./run compare OLD NEW: what changed between two files of JSON lines."""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple

from . import options, record
from . import result as kinds
from .command import Tree
from .record import Case, Run
from .terminal import Terminal

_Cases = Dict[str, List[Case]]  # id -> one for each repetition
_GOOD = (kinds.PASSED, kinds.FLAKY, kinds.UNEXPECTED)


def parser() -> argparse.ArgumentParser:
    """The words of this command."""
    made = options.Parser(
        prog="run compare",
        description="Compares two runs that were written with --json.",
        epilog="Exit status: 0 nothing got worse, 1 something did (new failures, cases that are"
        " gone, new skips, with --slow-fails slow-downs), 2 bad usage.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("old", metavar="OLD", help="JSON lines of the earlier run")
    add("new", metavar="NEW", help="JSON lines of the later run")
    add(
        "--slower",
        type=options.factor,
        default=2.0,
        metavar="X",
        help="a case that takes more than X times as long is a slow-down (2)",
    )
    add(
        "--noise",
        type=options.factor,
        default=0.1,
        metavar="SECONDS",
        help="and at least so much longer (0.1)",
    )
    add("--slow-fails", action="store_true", help="slow-downs make the status 1 too")
    return made


@dataclass
class Change:
    """A kind of difference, and the lines that say which cases it concerns."""

    title: str
    colour: str
    worse: bool
    lines: List[str]


def main(argv: List[str], tree: Tree) -> int:
    """Shows the differences; the status says whether anything got worse."""
    own = parser().parse_args(argv)
    old, new = record.load(Path(own.old)), record.load(Path(own.new))
    terminal = Terminal(sys.stdout)
    for line in _context(old, new):
        terminal.say(line)
    changes = compare(old, new, own.slower, own.noise, own.slow_fails)
    for change in changes:
        if change.lines:
            terminal.say(terminal.paint(f"{change.title}: {len(change.lines)}", change.colour))
            for text in change.lines:
                terminal.say(f"  {text}")
    if not any(change.lines for change in changes):
        terminal.say("no case differs")
    return int(any(change.worse and change.lines for change in changes))


def _context(old: Run, new: Run) -> List[str]:
    """What else is different about the two: often the whole explanation."""
    before = {**old.host, **old.hypervisors}
    after = {**new.host, **new.hypervisors}
    lines = []
    for key in dict.fromkeys([*before, *after]):
        was, now = before.get(key, "not there"), after.get(key, "not there")
        if was != now:
            lines.append(f"{key}: {was} -> {now}")
    for name, run in (("old", old), ("new", new)):
        if run.status is None:
            lines.append(f"the {name} run was cut off: it has no last line")
    return lines


def _cases(run: Run) -> _Cases:
    found: _Cases = {}
    for image in run.images:
        for case in image.cases:
            found.setdefault(case.id, []).append(case)
    return found


def compare(old: Run, new: Run, slower: float, noise: float, slow_fails: bool) -> List[Change]:
    """All kinds of differences, the worst first."""
    before, after = _cases(old), _cases(new)
    both = [(name, before[name], after[name]) for name in after if name in before]
    failures = _new_failures(old, new, before, after) + _broken_images(old, new)
    fixed = [
        f"{name}: {_worst(old, was).verdict}"
        for name, was, now in both
        if old.red(_worst(old, was).verdict) and _worst(new, now).verdict in _GOOD
    ]
    skips = [
        f"{name}: was {_worst(old, was).verdict}, now: {_worst(new, now).text}"
        for name, was, now in both
        if _worst(new, now).verdict == kinds.SKIPPED
        and _worst(old, was).verdict not in (kinds.SKIPPED, kinds.KNOWN)
    ]
    gone = [name for name in before if name not in after]
    other = [f"{name}: {_worst(new, after[name]).verdict}" for name in after if name not in before]
    return [
        Change("new failures", "red", True, failures),
        Change("gone", "red", True, gone),
        Change("newly skipped", "yellow", True, skips),
        Change("slower", "yellow", slow_fails, _slower(both, slower, noise)),
        Change("fixed", "green", False, fixed),
        Change("new cases", "", False, other),
    ]


def _worst(run: Run, cases: List[Case]) -> Case:
    """Of several repetitions the one that says most."""
    return min(cases, key=lambda case: (not run.red(case.verdict), case.verdict in _GOOD))


def _new_failures(old: Run, new: Run, before: _Cases, after: _Cases) -> List[str]:
    lines = []
    for name, cases in after.items():
        now = _worst(new, cases)
        was = _worst(old, before[name]) if name in before else None
        if new.red(now.verdict) and (was is None or not old.red(was.verdict)):
            reason = f" ({now.text.splitlines()[0]})" if now.text else ""
            lines.append(
                f"{name}: {now.verdict}{reason}, was {was.verdict if was else 'not there'}"
            )
    return lines


def _broken_images(old: Run, new: Run) -> List[str]:
    """Images that fail as a whole now."""
    before = {image.name for image in old.images if image.problems}
    return [
        f"{image.name}: {image.problems[0]['kind']} ({image.problems[0]['text']})"
        for image in new.images
        if image.problems and image.name not in before
    ]


def _slower(
    both: List[Tuple[str, List[Case], List[Case]]], slower: float, noise: float
) -> List[str]:
    """The fastest of all repetitions counts: everything else is somebody else's work."""
    found = []
    ratios = []
    for name, was, now in both:
        if not all(case.verdict == kinds.PASSED for case in was + now):
            continue
        least, most = min(c.seconds for c in was), min(c.seconds for c in now)
        if least > 0.01:
            ratios.append(most / least)
        found.append((name, least, most))
    # A machine that is slower as a whole says nothing about a single case.
    pace = max(1.0, statistics.median(ratios)) if len(ratios) >= 10 else 1.0
    return [
        f"{name}: {least:.3f} s -> {most:.3f} s"
        for name, least, most in found
        if most > least * pace * slower and most - least * pace > noise
    ]
