# SPDX-License-Identifier: BSD-2-Clause
"""The parser of the report that an image writes on its console (docs/report.md).

Bytes go in as they arrive; a `Report` comes out. The parser judges nothing beyond the text itself:
it never raises, keeps what it understood and says in `problems` what contradicted the contract. A
report with a problem is no pass, whatever its lines claim.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Tuple

BANNER = "TAP version 14"
# Firmware and terminals write escape sequences, and a wire may add noise.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PLAN = re.compile(r"1\.\.([0-9]{1,6})(?:\s+# SKIP\s*(.*))?")
_RESULT = re.compile(r"(not )?ok ([0-9]{1,6}) - (\S+)(?:\s+# SKIP\b\s*(.*))?")
_BEGIN = re.compile(r"# begin (\S+)")
_CHECKS = re.compile(r"# checks ([0-9]{1,15})")
_COMBINATIONS = re.compile(r"# combinations ([0-9]{1,18}) of ([0-9]{1,18})")
_ASKED = re.compile(r"# asked ([0-9a-f]{0,200})")
_END = re.compile(r"# end((?: [a-z]+=[0-9]{1,15})*)")
_PAIR = re.compile(r'([A-Za-z0-9_]+)=("[^"]*"|\S*)')
_KEY = re.compile(r"  ([A-Za-z][A-Za-z0-9_-]*):(?: (.*))?")
# A line longer than this is noise; it is cut so that a stream without line ends stays cheap.
_LONGEST_LINE = 64 * 1024
_MOST_REMARKS = 200


def clean(raw: bytes) -> str:
    """A console line as text that can be shown and parsed."""
    text = raw.decode("utf-8", "replace")
    if text.isprintable():  # nearly every line: saves two searches
        return text
    return _CONTROL.sub("", _ESCAPE.sub("", text)).rstrip()


@dataclass
class Reported:
    """What the report says about one case."""

    number: int
    name: str
    state: str  # "ok", "not ok" or "skip"
    reason: str = ""
    checks: int = 0
    tried: int = 0  # combinations of axes, of so many that are offered
    offered: int = 0
    asked: str = ""  # the bugs that would have made a difference, as hexadecimal digits
    details: Dict[str, str] = field(default_factory=dict)
    exceptions: List[str] = field(default_factory=list)
    # As the console shows it: lines that come together took no time.
    seconds: float = field(default=0.0, compare=False)
    # From the launch to this result: of wall time, and of the hypervisor's CPU time.
    after: Tuple[float, float] = field(default=(0.0, 0.0), compare=False)


@dataclass
class Report:
    """What one launch of an image said."""

    resume: int = 0
    boots: int = 0
    facts: Dict[str, str] = field(default_factory=dict)
    notes: List[str] = field(default_factory=list)
    plan: Optional[int] = None
    plan_reason: str = ""
    begun: Optional[str] = None  # the case that runs now
    begins: int = 0
    results: List[Reported] = field(default_factory=list)
    pending: List[str] = field(default_factory=list)  # exceptions seen while a case runs
    end: Optional[Dict[str, int]] = None
    bail: Optional[str] = None
    problems: List[str] = field(default_factory=list)

    @property
    def terminal(self) -> bool:
        """The image said its last word."""
        return self.end is not None or self.bail is not None

    @property
    def last(self) -> int:
        """The number of the last case with a result, or where the launch resumed."""
        return self.results[-1].number if self.results else self.resume

    @property
    def complete(self) -> bool:
        """Every case of the plan after `resume` has a result and the end was reached soundly."""
        return (
            self.end is not None
            and self.bail is None
            and self.plan is not None
            and self.begun is None
            and self.boots == 1
            and not self.problems
            and [r.number for r in self.results] == list(range(self.resume + 1, self.plan + 1))
        )


class Parser:
    """Turns console bytes into a Report; `on_line` sees every line of the report as it comes."""

    def __init__(self, resume: int = 0, on_line: Optional[Callable[[str], None]] = None) -> None:
        self.report = Report(resume=resume)
        self._on_line = on_line
        self._rest = b""
        self._skipping = False
        self._block: Optional[_Block] = None
        self._awaits_checks = False
        self._began = time.monotonic()

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the console."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not self._skipping:
                self._line(clean(line))
            self._skipping = False
        if len(self._rest) > _LONGEST_LINE:
            self._skipping = True
            self._rest = b""

    def finish(self) -> Report:
        """The console is at its end; a last line without a line end was cut off: it is ignored."""
        if self._block is not None:
            self._block.close()
            self._block = None
        self._check_end()
        return self.report

    def _problem(self, text: str) -> None:
        if len(self.report.problems) < _MOST_REMARKS:
            self.report.problems.append(text)

    def _line(self, line: str) -> None:
        where = line.find(BANNER)
        if where >= 0 and line[where:].rstrip() == BANNER:
            self.report.boots += 1
            self._show(BANNER)
            return
        # Text before the first boot is the firmware's; after a second one it is another run's.
        if self.report.boots != 1:
            return
        if not self.report.terminal:
            self._show(line)
        if self._block is not None and self._block.take(line):
            return
        self._block = None
        if line == "  ---":
            self._open_block()
        elif line:
            self._statement(line)

    def _show(self, line: str) -> None:
        if self._on_line is not None:
            self._on_line(line)

    def _open_block(self) -> None:
        results = self.report.results
        if results and results[-1].state == "not ok":
            self._block = _Block(results[-1].details)

    def _statement(self, line: str) -> None:
        if self.report.terminal:
            self._after_end(line)
            return
        for pattern, action in _STATEMENTS:
            match = pattern.fullmatch(line)
            if match:
                action(self, match)
                return
        if line.startswith("#"):
            self._remark(line)
        elif line.startswith(("ok ", "not ok ")):
            self._problem(f"a result that is not understood: {line[0:80]}")

    def _after_end(self, line: str) -> None:
        """A result after the end is a contradiction; last words of a halting machine are not."""
        if _RESULT.fullmatch(line) or _BEGIN.fullmatch(line):
            self._problem(f"after the end of the report: {line}")

    def _remark(self, line: str) -> None:
        report = self.report
        if line.startswith("# note ") and len(report.notes) < _MOST_REMARKS:
            report.notes.append(line.partition("# note ")[2])
        elif line.startswith("# shadowbox "):
            report.facts.update({k: v.strip('"') for k, v in _PAIR.findall(line)})
        elif line.startswith(("# exception ", "#   at ")) and len(report.pending) < _MOST_REMARKS:
            report.pending.append(line[2:])

    def _plan(self, match: "re.Match[str]") -> None:
        if self.report.plan is not None:
            self._problem(f"a second plan: {match.group()}")
            return
        self.report.plan = int(match.group(1))
        self.report.plan_reason = match.group(2) or ""

    def _begin(self, match: "re.Match[str]") -> None:
        report = self.report
        if report.begun is not None:
            self._problem(f"case {match.group(1)} began before {report.begun} had a result")
        if report.plan is None:
            self._problem(f"case {match.group(1)} began before the plan")
        report.begun = match.group(1)
        self._began = time.monotonic()
        report.begins += 1
        report.pending = []

    def _result(self, match: "re.Match[str]") -> None:
        report = self.report
        failed, number, name, skip = match.groups()
        state = "not ok" if failed else "ok" if skip is None else "skip"
        result = Reported(int(number), name, state, skip or "", exceptions=report.pending)
        result.seconds = time.monotonic() - self._began
        if report.begun is None:
            self._problem(f"result {number} ({name}) of a case that had not begun")
        elif report.begun != name:
            self._problem(f"result {number} is {name}, but {report.begun} had begun")
        if result.number != report.last + 1:
            self._problem(f"result {number} ({name}) follows number {report.last}")
        if report.plan is None or result.number > report.plan:
            self._problem(f"result {number} ({name}) is not in the plan")
        report.results.append(result)
        report.begun = None
        report.pending = []
        self._awaits_checks = True

    def _checks(self, match: "re.Match[str]") -> None:
        if self._awaits_checks:
            self.report.results[-1].checks = int(match.group(1))
        else:
            self._problem("a number of checks that belongs to no result")
        self._awaits_checks = False

    def _combinations(self, match: "re.Match[str]") -> None:
        if self.report.results and self.report.begun is None:
            result = self.report.results[-1]
            result.tried, result.offered = int(match.group(1)), int(match.group(2))
        else:
            self._problem("a number of combinations that belongs to no result")

    def _asked(self, match: "re.Match[str]") -> None:
        if self.report.results and self.report.begun is None:
            self.report.results[-1].asked = match.group(1)

    def _end(self, match: "re.Match[str]") -> None:
        if self.report.begun is not None:
            self._problem(f"the report ends while {self.report.begun} runs")
        pairs = (pair.split("=") for pair in match.group(1).split())
        self.report.end = {key: int(value) for key, value in pairs}

    def _bail(self, match: "re.Match[str]") -> None:
        self.report.bail = match.group(1) or "no reason given"

    def _check_end(self) -> None:
        """Does the last line agree with what was counted? A lost line shows here."""
        report = self.report
        if report.end is None:
            return
        if report.plan is None:
            self._problem("the report ends without a plan")
        states = [r.state for r in report.results]
        counted = {
            "passed": states.count("ok"),
            "failed": states.count("not ok"),
            "skipped": states.count("skip"),
            "checks": sum(r.checks for r in report.results),
        }
        for key, number in counted.items():
            if report.end.get(key) != number:
                said = report.end.get(key, "nothing")
                self._problem(f"the end line says {key}={said}, the lines before it {number}")


class _Block:
    """A YAML block below a `not ok` line: `key: value` lines and `key: |` blocks."""

    def __init__(self, details: Dict[str, str]) -> None:
        self._details = details
        self._key: Optional[str] = None
        self._lines: List[str] = []

    def take(self, line: str) -> bool:
        """True as long as the line belongs to the block."""
        if line.rstrip() == "  ...":
            self.close()
            return line == "  ..."
        if self._key is not None and (line.startswith("    ") or not line.strip()):
            self._lines.append(line[4:])
            return True
        match = _KEY.fullmatch(line)
        if not match:
            self.close()
            return False
        self.close()
        key, value = match.groups()
        if value in ("|", "|-"):
            self._key = key
        else:
            self._details[key] = value or ""
        return True

    def close(self) -> None:
        if self._key is not None:
            self._details[self._key] = "\n".join(self._lines).rstrip()
        self._key = None
        self._lines = []


_STATEMENTS = [
    (_RESULT, Parser._result),
    (_BEGIN, Parser._begin),
    (_CHECKS, Parser._checks),
    (_COMBINATIONS, Parser._combinations),
    (_ASKED, Parser._asked),
    (_PLAN, Parser._plan),
    (_END, Parser._end),
    (re.compile(r"Bail out!\s*(.*)"), Parser._bail),
]
