# SPDX-License-Identifier: BSD-2-Clause
"""What guests of kvm-unit-tests and of XTF say, turned into a Report like that of our own images.

A line `PASS: text` is a case; so are FAIL, SKIP, XFAIL, KFAIL and XPASS. SUMMARY ends the report
and is held against the lines before it. A guest without it says what it thinks by its exit status,
through isa-debug-exit or in a line EXIT: STATUS=n or --- DONE: n ---.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, Optional

from .launch import Ending
from .protocol import Report, Reported, clean

_RESULT = re.compile(r"(PASS|FAIL|SKIP|XFAIL|KFAIL|XPASS|KPASS): (.*)")
_SUMMARY = re.compile(r"SUMMARY: (\d+) tests?(?:, (.*))?")
_ABORT = re.compile(r"ABORT: (.*)")
_EXIT = re.compile(r"EXIT: STATUS=(\d+)")
_DONE = re.compile(r"--- DONE: (\d+) ---")  # where there is no device to exit by
_XTF = re.compile(r"Test result: (SUCCESS|SKIP|ERROR|FAILURE|CRASH)")
_XTF_STATES = {"SUCCESS": "ok", "SKIP": "skip"}
_STATES = {"PASS": "ok", "SKIP": "skip", "XFAIL": "known", "KFAIL": "known"}
_STATUS = {1: "ok", 3: "not ok", 77: "skip"}  # (v << 1) | 1 of the guest's 0, 1 and 38
_ABORTED = 127
_MOST = 5000  # passes that get a line of their own
_LONGEST_LINE = 64 * 1024


class KutParser:
    """Takes a console's bytes as protocol.Parser does."""

    def __init__(self, on_line: Optional[Callable[[str], None]] = None) -> None:
        self.report = Report()
        self._on_line = on_line
        self._rest = b""
        self._names: Dict[str, int] = {}
        self._tests = 0
        self._more = 0  # passes that are only counted
        self._status: Optional[int] = None

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the console."""
        self.report.boots = self.report.boots or int(bool(data))
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(clean(line))
        self._rest = self._rest[-_LONGEST_LINE:]

    def _line(self, line: str) -> None:
        if self._on_line is not None:
            self._on_line(line)
        result, xtf = _RESULT.fullmatch(line), _XTF.match(line)
        summary, status = _SUMMARY.match(line), _EXIT.match(line)
        abort = _ABORT.match(line)
        if result:
            self._take(_STATES.get(result.group(1), "not ok"), result.group(2), line)
        elif summary:
            self._end(int(summary.group(1)))
        elif xtf:
            self._take(_XTF_STATES.get(xtf.group(1), "not ok"), "test_result", line)
            self._end(self._tests)
        elif abort:
            self.report.bail = abort.group(1) or "no reason given"
        elif status:
            self._status = int(status.group(1))
        elif _DONE.match(line):
            self._leave(int(line.split()[2]) << 1 | 1)

    def _take(self, state: str, text: str, line: str) -> None:
        self._tests += 1
        if state == "ok" and self._tests > _MOST:
            self._more += 1
            return
        name = re.sub(r"[^A-Za-z0-9_.+=()<>-]+", "_", text).strip("_")[:120] or "unnamed"
        self._names[name] = self._names.get(name, 0) + 1
        if self._names[name] > 1:
            name = f"{name}~{self._names[name]}"
        reason = f"needs guest_skip: {text}" if state == "skip" else ""
        result = Reported(len(self.report.results) + 1, name, state, reason, checks=1)
        if state in ("not ok", "known"):
            result.details["message"] = line
        self.report.results.append(result)

    def _leave(self, status: int) -> None:
        """A guest that halts for ever now; what its lines left open its status says."""
        state = _STATUS.get(status, "not ok")
        results = self.report.results
        if not results or state == "not ok" and all(r.state != "not ok" for r in results):
            self._say_status(state, status)
        self._status = status
        self.report.end = self.report.end or {"tests": self._tests}

    def _end(self, tests: int) -> None:
        if tests != self._tests:
            text = f"the summary speaks of {tests} tests, the lines before it of {self._tests}"
            self.report.problems.append(text)
        self.report.end = {"tests": tests}

    def finish(self) -> Report:
        """Without knowing how the process ended; `conclude` adds that."""
        report = self.report
        if self._more:
            number = len(report.results) + 1
            report.results.append(Reported(number, "further_passes", "ok", checks=self._more))
        report.plan = len(report.results) or None
        return report

    def conclude(self, ending: Ending, debug_exit: bool) -> Report:
        """The report, and what the exit status adds where it is the guest's."""
        report = self.finish()
        status = self._status
        if status is None and debug_exit:
            status = ending.status
        state = _STATUS.get(status if status is not None else -1, "")
        if status == _ABORTED and report.bail is None:
            report.bail = "the guest called abort"
        states = {result.state for result in report.results}
        missing = report.end is None and ending.kind == "" and bool(state)
        contradicts = state == "not ok" and "not ok" not in states
        if report.bail is None and (missing or contradicts):
            report.end = report.end or {}
            if contradicts or not report.results:
                self._say_status(state, status)
        report.plan = len(report.results) or None
        return report

    def _say_status(self, state: str, status: Optional[int]) -> None:
        result = Reported(len(self.report.results) + 1, "exit_status", state, checks=1)
        result.reason = "needs guest_skip: its exit status says so" if state == "skip" else ""
        if state == "not ok":
            result.details["message"] = f"the guest ended with failure (status {status})"
        self.report.results.append(result)
