# SPDX-License-Identifier: BSD-2-Clause
"""Progress while images run, failures in full as they happen, and the table at the end."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from . import result as kinds
from .failure import describe_case, describe_problems, relative
from .protocol import Report
from .result import ImageResult
from .session import Job
from .terminal import Terminal

_HEADS = (
    "image",
    "hypervisor",
    "cases",
    "passed",
    "failed",
    "skipped",
    "known",
    "checks",
    "seconds",
)
_FAILED_LINE = re.compile(r"not ok |Bail out!")


class Output:
    """Listens to the scheduler. `verbosity`: -1 quiet, 0 normal, 1 every case."""

    def __init__(self, terminal: Terminal, total: int, verbosity: int, strict: bool) -> None:
        self.terminal = terminal
        self._total = total
        self._verbosity = verbosity
        self._strict = strict
        self._started = time.monotonic()
        self._running: Dict[str, Tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._results: List[ImageResult] = []
        self._width = 0

    def widen(self, names: List[str]) -> None:
        """Names to come, so that columns line up from the first line on."""
        self._width = max((len(name) for name in names), default=0)

    def started(self, job: Job) -> None:
        with self._lock:
            self._running[job.name] = (time.monotonic(), "")
        self.tick()

    def progress(self, job: Job, report: Report) -> None:
        done = f"{report.last}/{report.plan}" if report.plan else ""
        with self._lock:
            since, _ = self._running.get(job.name, (time.monotonic(), ""))
            self._running[job.name] = (since, done)

    def line(self, text: str) -> None:
        """A line of a report that is shown as it comes."""
        colour = "red" if _FAILED_LINE.match(text) else "green" if text.startswith("ok ") else ""
        self.terminal.say(self.terminal.paint(text, colour))

    def finished(self, job: Job, result: ImageResult, live: bool) -> None:
        with self._lock:
            self._running.pop(job.name, None)
            self._results.append(result)
        self.tick()
        blocks = self._blocks(job, result)
        if self._verbosity > 0 and not live:
            for case in result.cases:
                name = f"{result.image}/{case.name}"
                self.terminal.say(f"  {self.terminal.verdict(case.kind, 8)} {name}")
        if self._verbosity >= 0 and not live:
            self.terminal.say(self._summary_line(job, result))
        for block in blocks:
            self.terminal.say("\n" + block + "\n")

    def dropped(self, job: Job) -> None:
        """The job goes to another hypervisor."""
        with self._lock:
            self._running.pop(job.name, None)

    def tick(self) -> None:
        """Redraws the status line."""
        with self._lock:
            now = time.monotonic()
            running = [
                f"{name} {done} ({now - since:.0f} s)".replace("  ", " ")
                for name, (since, done) in self._running.items()
            ]
            red = sum(not result.good for result in self._results)
            skipped = sum(result.verdict == kinds.SKIPPED for result in self._results)
            done = len(self._results)
        text = f"[{done}/{self._total}] {red} failed, {skipped} skipped"
        self.terminal.status(text + (f"; running: {', '.join(running)}" if running else ""))

    def _summary_line(self, job: Job, result: ImageResult) -> str:
        counts = Counter(case.kind for case in result.cases)
        parts = [f"{len(result.cases)} cases", f"{result.checks} checks"]
        parts += [f"{n} {kind}" for kind, n in counts.items() if kind != kinds.PASSED]
        parts.append(f"{result.seconds:.2f} s")
        verdict = self.terminal.verdict(result.verdict, 8)
        reason = f" ({result.plan_reason})" if result.planned == 0 and result.plan_reason else ""
        return f"{verdict} {job.name.ljust(self._width)}  {', '.join(parts)}{reason}"

    def _blocks(self, job: Job, result: ImageResult) -> List[str]:
        blocks: List[str] = []
        head = self.terminal.verdict
        red = [case for case in result.cases if case.kind not in kinds.GREEN]
        if red and not result.problems and not any(case.stderr for case in red):
            red[0].stderr = result.stderr  # said by nobody's fault; once is enough
        if result.problems:
            blocks.append(describe_problems(job, result, head(result.problems[0].kind.upper())))
        for case in result.cases:
            # A whole image that never ran needs one block, not one for each of its cases.
            if case.kind == kinds.NOT_RUN and result.problems:
                continue
            shown = case.kind not in kinds.GREEN or case.kind == kinds.MISMATCH
            if shown or (case.kind == kinds.UNEXPECTED and self._strict):
                blocks.append(describe_case(job, result, case, head(case.kind.upper())))
        return blocks

    def close(self, folder: Optional[Path]) -> None:
        """The table and the totals."""
        self.terminal.status("")
        results = sorted(self._results, key=lambda r: (r.image, r.hypervisor, r.repeat))
        if len(results) > 1 and self._verbosity >= 0:
            self._table(results)
        self._remarks(results)
        self.terminal.say(self._totals(results, folder))

    def _table(self, results: List[ImageResult]) -> None:
        groups: Dict[Tuple[str, str], List[ImageResult]] = {}
        for result in results:
            groups.setdefault((result.image, result.hypervisor), []).append(result)
        rows = [list(_HEADS), *(_row(group) for group in groups.values())]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
        self.terminal.say("")
        for row in rows:
            cells = [
                row[i].ljust(widths[i]) if i < 2 else row[i].rjust(widths[i]) for i in range(9)
            ]
            verdict = "  " + self.terminal.verdict(row[9]) if len(row) > 9 else ""
            self.terminal.say("  ".join(cells) + verdict)

    def _remarks(self, results: List[ImageResult]) -> None:
        """Known failures, and listed ones that pass: cases with one reason together."""
        cases: Dict[Tuple[str, str, str], List[str]] = {}
        for result in results:
            for case in result.cases:
                if case.known is not None:
                    key = (case.kind, result.hypervisor, case.known.reason)
                    was = f" ({case.was})" if case.kind == kinds.KNOWN else ""
                    cases.setdefault(key, []).append(f"{result.image}/{case.name}{was}")
        for (kind, hypervisor, reason), names in cases.items():
            if kind == kinds.KNOWN and self._verbosity < 0:
                continue
            also = "listed as known, but passes now: " if kind == kinds.UNEXPECTED else ""
            self.terminal.say(f"{self.terminal.verdict(kind)} on {hypervisor}: {also}{reason}")
            for name in names:
                self.terminal.say(f"    {name}")

    def _totals(self, results: List[ImageResult], folder: Optional[Path]) -> str:
        counts = Counter(case.kind for result in results for case in result.cases)
        passed = counts[kinds.PASSED] + counts[kinds.UNEXPECTED]
        red = {kind: n for kind, n in counts.items() if kind not in kinds.GREEN}
        failed = f"{sum(red.values())} failed"
        words = [f"{n} {kind}" for kind, n in red.items() if kind != kinds.FAILED]
        parts = [f"{passed} passed", failed + (f" ({', '.join(words)})" if words else "")]
        parts.append(f"{counts[kinds.SKIPPED]} skipped")
        for kind in (kinds.KNOWN, kinds.MISMATCH, kinds.UNEXPECTED):
            parts += [f"{counts[kind]} {kind}"] if counts[kind] else []
        broken = sum(bool(result.problems) for result in results)
        parts += [f"{_images(broken)} failed as a whole"] if broken else []
        interrupted = self._total - len(results) + sum(r.interrupted for r in results)
        parts += [f"{_images(interrupted)} interrupted"] if interrupted else []
        seconds = time.monotonic() - self._started
        logs = f"; logs in {relative(folder)}" if folder else ""
        return f"{', '.join(parts)} in {seconds:.1f} s{logs}"


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"


def _row(group: List[ImageResult]) -> List[str]:
    """One line of the table: an image on a hypervisor, with all its repetitions."""
    counts = Counter(case.kind for result in group for case in result.cases)
    known, skipped = counts[kinds.KNOWN], counts[kinds.SKIPPED]
    passed = counts[kinds.PASSED] + counts[kinds.UNEXPECTED]
    failed = sum(n for kind, n in counts.items() if kind not in kinds.GREEN)
    numbers = [sum(counts.values()), passed, failed, skipped, known]
    numbers.append(sum(result.checks for result in group))
    name, verdict = group[0].image, group[0].verdict
    if len(group) > 1:
        red = sum(not result.good for result in group)
        name += f" x{len(group)}"
        verdict = f"{red} of {len(group)} {kinds.FAILED}" if red else verdict
    seconds = f"{sum(result.seconds for result in group):.2f}"
    return [name, group[0].hypervisor, *map(str, numbers), seconds, verdict]
