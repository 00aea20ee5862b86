# SPDX-License-Identifier: BSD-2-Clause
"""What became of each case: one verdict for every planned case, whatever the machine did.

An image may take several launches, since it is started again after a case that brought the machine
down. `Account` adds them up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from .forensics import State
from .hypervisor import Known
from .launch import Ending
from .protocol import Report, Reported

PASSED = "passed"
FAILED = "failed"
SKIPPED = "skipped"
KNOWN = "known"
MISMATCH = "mismatch"  # of CPUID and what the processor does: no defect of the MMU (P30)
UNEXPECTED = "unexpected pass"
FLAKY = "flaky"  # failed, and passed when it was tried again
MISSING = "missing need"  # skipped for a need that --require names
CRASHED = "crashed"
HUNG = "hung"
TIME = "time limit"
RESET = "reset"
CUT_OFF = "cut off"
FLOOD = "flood"
NOT_STARTED = "never started"
NOT_RUN = "not run"
BROKEN = "broken report"
KERNEL = "kernel warning"  # of the host's, while the image ran

GREEN = (PASSED, SKIPPED, KNOWN, MISMATCH, UNEXPECTED, FLAKY)
# Failures of the case itself; only these can be known in advance.
_CAN_BE_KNOWN = (FAILED, MISMATCH, CRASHED, HUNG, TIME, RESET, FLOOD, CUT_OFF)
_CLASS = "model mismatch"  # how a guest marks such a failure
_AVOIDED = "needs survival"  # how a guest says that `avoid=` kept it from a case
_KIND_OF_ENDING = {
    "crashed": CRASHED,
    "hung": HUNG,
    "time": TIME,
    "reset": RESET,
    "flood": FLOOD,
}


@dataclass
class CaseResult:
    """The verdict on one case."""

    number: int
    name: str
    kind: str
    text: str = ""
    checks: int = 0
    seconds: float = 0.0
    attempts: int = 1
    tried: int = 0  # combinations of axes, of so many that are offered
    offered: int = 0
    asked: str = ""  # the bugs that would have made a difference, as hexadecimal digits
    details: Dict[str, str] = field(default_factory=dict)
    exceptions: List[str] = field(default_factory=list)
    stderr: str = ""  # of the launch that this case brought down
    state: State = field(default_factory=State)  # of the machine that it brought down
    folder: Optional[Path] = None
    known: Optional[Known] = None
    after: Tuple[float, float] = (0.0, 0.0)  # from the launch: wall time, the hypervisor's CPU time
    was: str = ""  # the kind before it was found to be known, or flaky


@dataclass
class Problem:
    """Something wrong with the whole image rather than with one case."""

    kind: str
    text: str


@dataclass
class ImageResult:
    """The verdict on one image on one hypervisor."""

    image: str
    hypervisor: str
    version: str
    folder: Path
    repeat: int = 0
    planned: Optional[int] = None
    plan_reason: str = ""
    cases: List[CaseResult] = field(default_factory=list)
    problems: List[Problem] = field(default_factory=list)
    facts: Dict[str, str] = field(default_factory=dict)
    notes: List[str] = field(default_factory=list)
    seconds: float = 0.0
    launches: int = 0
    interrupted: bool = False
    booted: bool = False  # the report's first line was seen
    unlaunched: bool = False  # the hypervisor refused before the guest could say anything
    stderr: str = ""
    state: State = field(default_factory=State)

    @property
    def checks(self) -> int:
        return sum(case.checks for case in self.cases)

    @property
    def combinations(self) -> str:
        """How many combinations of axes were tried of how many; empty where there are none."""
        offered = sum(case.offered for case in self.cases)
        tried = sum(case.tried for case in self.cases)
        return f"{tried} of {offered} combinations" if offered else ""

    @property
    def good(self) -> bool:
        """Nothing red, and every planned case accounted for: anything else is no pass."""
        return (
            self.planned is not None
            and not self.problems
            and not self.interrupted
            and [case.number for case in self.cases] == list(range(1, self.planned + 1))
            and all(case.kind in GREEN for case in self.cases)
        )

    def count(self, kind: str) -> int:
        return sum(case.kind == kind for case in self.cases)

    @property
    def verdict(self) -> str:
        """One word for the whole image."""
        if self.interrupted:
            return "interrupted"
        if not self.good:
            red = [p.kind for p in self.problems] + [c.kind for c in self.cases]
            worst = [kind for kind in red if kind not in GREEN] or [NOT_RUN]
            return FAILED if FAILED in worst else worst[0]
        if all(case.kind == SKIPPED for case in self.cases):
            return SKIPPED
        return MISMATCH if self.count(MISMATCH) else PASSED


def _what_happened(report: Report, ending: Ending) -> Problem:
    """Why a launch came to no proper end."""
    if report.bail is not None:
        return Problem(CRASHED, f"bailed out: {report.bail}")
    kind = _KIND_OF_ENDING.get(ending.kind)
    if kind is not None:
        return Problem(kind, ending.text)
    if ending.status is not None and ending.status < 0:
        return Problem(CRASHED, f"the hypervisor died of {ending.how()}")
    text = f"the hypervisor ended ({ending.how()}) before the report did"
    return Problem(CRASHED if report.begun else CUT_OFF, text)


class Account:
    """Adds up the launches of one image until every planned case has a verdict."""

    def __init__(self, names: Sequence[str]) -> None:
        self.planned: Optional[int] = None
        self.plan_reason = ""
        self.problems: List[Problem] = []
        self._names = names  # the selected cases as the image file lists them
        self._cases: Dict[int, CaseResult] = {}

    def add(self, report: Report, ending: Ending, folder: Path) -> Optional[int]:
        """Takes the outcome of a launch; returns the case to resume after, or None at the end."""
        if not self._take_plan(report, ending):
            return None
        before = max([report.resume, *self._cases])
        for result in report.results:
            self._take_result(result, folder)
        self.problems += [Problem(BROKEN, text) for text in report.problems]
        if report.end is not None or ending.kind in ("interrupted", "enough"):
            return None
        guilty = self._blame(report, _what_happened(report, ending))
        if guilty is not None:
            guilty.folder, guilty.stderr = folder, ending.stderr
            guilty.state = ending.state
        last = max([report.resume, *self._cases])
        # No progress means that the next start would end just like this one.
        return last if before < last < (self.planned or 0) else None

    def _take_plan(self, report: Report, ending: Ending) -> bool:
        if report.plan is None:
            if ending.kind != "interrupted":
                what = _what_happened(report, ending)
                self.problems.append(Problem(NOT_STARTED, f"no plan was reported: {what.text}"))
                self.problems += [Problem(BROKEN, text) for text in report.problems]
            return False
        if self.planned is not None and self.planned != report.plan:
            text = f"planned {self.planned} cases first and {report.plan} after a restart"
            self.problems.append(Problem(BROKEN, text))
            return False
        self.planned = report.plan
        self.plan_reason = report.plan_reason
        return True

    def _take_result(self, result: Reported, folder: Path) -> None:
        if not 1 <= result.number <= (self.planned or 0):
            return  # the parser made a problem of it
        if result.number in self._cases:
            twice = self._cases[result.number]
            twice.kind, twice.text = BROKEN, "reported twice"
            self.problems.append(Problem(BROKEN, f"two results with number {result.number}"))
            return
        kind = {"ok": PASSED, "skip": SKIPPED, "known": KNOWN}.get(result.state, FAILED)
        if kind == FAILED and result.details.get("class") == _CLASS:
            kind = MISMATCH
        text = result.reason or result.details.get("message", "")
        case = CaseResult(result.number, result.name, kind, text, result.checks)
        case.details, case.exceptions, case.folder = result.details, result.exceptions, folder
        case.seconds, case.after = result.seconds, result.after
        case.tried, case.offered, case.asked = result.tried, result.offered, result.asked
        self._cases[result.number] = case

    def _blame(self, report: Report, what: Problem) -> Optional[CaseResult]:
        """Finds the case that brought the machine down: the one that ran, or the one before."""
        number = report.last + 1
        if report.begun is not None and 1 <= number <= (self.planned or 0):
            case = CaseResult(number, report.begun, what.kind, what.text)
            case.exceptions = report.pending
            return self._cases.setdefault(number, case)
        if report.results and report.last in self._cases:
            case = self._cases[report.last]
            if case.kind in (PASSED, SKIPPED):
                case.kind, case.text = what.kind, f"right after its result: {what.text}"
            return case
        self.problems.append(what)
        return None

    def _silent(self, missing: List[int]) -> List[str]:
        """The names of those that never said theirs, if the file lists as many as are planned."""
        said = {case.name for case in self._cases.values()}
        names = [name for name in self._names if name not in said]
        return names if len(names) == len(missing) else [f"case-{n}" for n in missing]

    def cases(self, interrupted: bool) -> List[CaseResult]:
        """All planned cases in order; those without a word about them failed as not run."""
        planned = len(self._names) if self.planned is None else self.planned
        missing = [n for n in range(1, planned + 1) if n not in self._cases]
        if not interrupted:
            for number, name in zip(missing, self._silent(missing)):
                text = "the report says nothing about it"
                self._cases[number] = CaseResult(number, name, NOT_RUN, text)
        return [self._cases[number] for number in sorted(self._cases)]


_NEED = re.compile(r"needs ([A-Za-z0-9_-]+)")


def need_of(text: str) -> str:
    """The coded reason of a skip: `needs la57: ...` -> la57."""
    match = _NEED.match(text)
    return match.group(1) if match else ""


def is_required(reason: str, required: Sequence[str]) -> bool:
    """Must this skip not be?"""
    return "all" in required or need_of(reason) in required


def apply_required(result: ImageResult, required: Sequence[str]) -> None:
    """Turns skips for what must be there into failures."""
    for case in result.cases:
        if case.kind == SKIPPED and is_required(case.text, required):
            case.was, case.kind = case.kind, MISSING


def apply_known(result: ImageResult, entry_of: Callable[[str, str], Optional[Known]]) -> None:
    """Marks failures that the adapter lists as known, and listed ones that pass and never do."""
    for case in result.cases:
        known = entry_of(case.name, case.text)
        if known is None:
            continue
        avoided = known.avoid and case.kind == SKIPPED and case.text.startswith(_AVOIDED)
        if case.kind in _CAN_BE_KNOWN or avoided:
            case.was = "not tried" if avoided else case.kind
            case.kind, case.known = KNOWN, known
        elif case.kind == PASSED and not known.sometimes:
            case.was, case.kind, case.known = case.kind, UNEXPECTED, known
