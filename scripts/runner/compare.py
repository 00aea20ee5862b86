# SPDX-License-Identifier: BSD-2-Clause
"""What changed between two runs, case by case."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import Dict, List, Sequence, Tuple

from . import result as kinds
from .errors import UserError
from .record import Case, Image, Run

_Cases = Dict[str, List[Case]]  # id -> one for each repetition
_GOOD = (kinds.PASSED, kinds.FLAKY, kinds.UNEXPECTED)


@dataclass
class Change:
    """A kind of difference, and the lines that say which cases it concerns."""

    title: str
    colour: str
    worse: bool
    lines: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Limits:
    """When a case is a slow-down: so many times slower, and so many seconds longer."""

    slower: float = 2.0
    noise: float = 0.1
    fails: bool = False


def hypervisors(run: Run) -> List[str]:
    """All that have results, or were meant to have some."""
    return list(dict.fromkeys([*run.hypervisors, *(image.hypervisor for image in run.images)]))


def pair(old: Run, new: Run, wanted: Sequence[str]) -> Tuple[Run, Run]:
    """What is compared: the hypervisors that both have, or one of each, which then need no name.

    `wanted` names one for both, or first the old one and then the new one.
    """
    for name, run in zip([*wanted, *wanted][:2], (old, new)):
        if name not in hypervisors(run):
            known = ", ".join(hypervisors(run))
            raise UserError(f"--on {name}: there are no results of it (but of: {known})")
    before, after = hypervisors(old), hypervisors(new)
    if not wanted and not set(before) & set(after):
        if len(before) > 1 or len(after) > 1:
            names = f"{'; '.join(before)} in the first, {'; '.join(after)} in the second"
            raise UserError(f"no hypervisor is in both files, --on OLD --on NEW picks two: {names}")
        wanted = [*before, *after]
    if not wanted:
        return old, new
    return _only(old, wanted[0]), _only(new, wanted[-1])


def _only(run: Run, name: str) -> Run:
    """One hypervisor's results, without its name in their ids."""
    images = []
    for image in run.images:
        if image.hypervisor == name:
            cases = [replace(case, hypervisor="") for case in image.cases]
            images.append(replace(image, hypervisor="", cases=cases))
    host = {**run.host, **run.hosts.get(name, {})}
    version = f"{name} {run.hypervisors.get(name, '')}".rstrip()
    return replace(run, images=images, host=host, hosts={}, hypervisors={"on": version})


def _program(run: Run) -> str:
    """Where one hypervisor is compared with one: its name without its configuration."""
    return run.hypervisors.get("on", "").replace(",", " ").partition(" ")[0]


def context(old: Run, new: Run) -> List[str]:
    """What else is different about the two: often the whole explanation."""
    before, after = _context_of(old), _context_of(new)
    lines = []
    for key in dict.fromkeys([*before, *after]):
        was, now = before.get(key, "not there"), after.get(key, "not there")
        if was != now:
            lines.append(f"{key}: {was} -> {now}")
    for name, run in (("old", old), ("new", new)):
        if run.status is None:
            lines.append(f"the {name} run was cut off: it has no last line")
        elif run.status == 130:
            lines.append(f"the {name} run was interrupted")
    return lines


def _context_of(run: Run) -> Dict[str, str]:
    own = {f"{n}: {key}": text for n, host in run.hosts.items() for key, text in host.items()}
    return {**run.host, **run.hypervisors, **own}


def _name(record: "Case | Image") -> str:
    """As results are called everywhere; of the only hypervisor nothing is said."""
    name = record.id if isinstance(record, Case) else record.name
    return name if record.hypervisor else name.replace("@", "")


def _cases(run: Run) -> _Cases:
    found: _Cases = {}
    for image in run.images:
        for case in image.cases:
            found.setdefault(_name(case), []).append(case)
    return found


def changes(old: Run, new: Run, limits: Limits) -> List[Change]:
    """All kinds of differences, the worst first."""
    before, after = _cases(old), _cases(new)
    failures = Change("new failures", "red", True)
    skips = Change("newly skipped", "yellow", True)
    fixed = Change("fixed", "green", False)
    other = Change("otherwise changed", "", False)
    both = [(name, before[name], after[name]) for name in after if name in before]
    for name, cases in after.items():
        now = _worst(new, cases)
        if name not in before:
            if new.red(now.verdict):
                failures.lines.append(f"{name}: {_said(now)}, was not there")
            continue
        was = _worst(old, before[name])
        if new.red(now.verdict) and not old.red(was.verdict):
            failures.lines.append(f"{name}: {_said(now)}, was {was.verdict}")
        elif now.verdict == kinds.SKIPPED and was.verdict not in (kinds.SKIPPED, kinds.KNOWN):
            skips.lines.append(f"{name}: was {was.verdict}, now: {now.text}")
        elif old.red(was.verdict) and now.verdict in _GOOD:
            fixed.lines.append(f"{name}: {was.verdict}")
        elif was.verdict != now.verdict:
            other.lines.append(f"{name}: {was.verdict} -> {now.verdict}")
    failures.lines += _broken(old, new)
    gone = Change("gone", "red", True)
    _gone(old, new, gone, skips)
    same = _program(old) == _program(new)
    slow = Change("slower", "yellow", limits.fails, _slower(both, limits) if same else [])
    more = Change("new cases", "", False, _more(old, new, after, before))
    return [failures, gone, skips, slow, fixed, other, more]


def _worst(run: Run, cases: List[Case]) -> Case:
    """Of several repetitions the one that says most."""
    return min(cases, key=lambda case: (not run.red(case.verdict), case.verdict in _GOOD))


def _said(case: Case) -> str:
    return f"{case.verdict} ({case.text.splitlines()[0]})" if case.text else case.verdict


def _gone(old: Run, new: Run, gone: Change, skips: Change) -> None:
    """Cases that are not there any more; those of a whole image in one line."""
    after = _cases(new)
    now = {_name(image): image for image in new.images}
    for image in old.images:
        lost = [case for case in image.cases if _name(case) not in after]
        left_out = now.get(_name(image))
        if lost and len(lost) == len(image.cases):
            line = f"{_name(image)}: all {_count(lost)}"
            if left_out is not None and left_out.text:
                skips.lines.append(f"{line}: {left_out.text}")
            else:
                gone.lines.append(line)
        else:
            gone.lines += [_name(case) for case in lost]
    gone.lines[:] = dict.fromkeys(gone.lines)


def _more(old: Run, new: Run, after: _Cases, before: _Cases) -> List[str]:
    """Cases that were not there; those of a whole image that was not in one line."""
    had = {_name(image) for image in old.images if image.cases}
    lines: List[str] = []
    for image in new.images:
        fresh = [case for case in image.cases if _name(case) not in before]
        fresh = [case for case in fresh if not new.red(case.verdict)]  # those are new failures
        if fresh and len(fresh) == len(image.cases) and _name(image) not in had:
            lines.append(f"{_name(image)}: all {_count(fresh)}")
        else:
            lines += [f"{_name(case)}: {_worst(new, after[_name(case)]).verdict}" for case in fresh]
    return list(dict.fromkeys(lines))


def _count(cases: List[Case]) -> str:
    return f"{len(cases)} case{'' if len(cases) == 1 else 's'}"


def _broken(old: Run, new: Run) -> List[str]:
    """Images that fail as a whole now."""
    before = {_name(image) for image in old.images if image.problems}
    return [
        f"{_name(image)}: {image.problems[0]['kind']} ({image.problems[0]['text'].splitlines()[0]})"
        for image in new.images
        if image.problems and _name(image) not in before
    ]


def _slower(both: List[Tuple[str, List[Case], List[Case]]], limits: Limits) -> List[str]:
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
        if most > least * pace * limits.slower and most - least * pace > limits.noise
    ]
