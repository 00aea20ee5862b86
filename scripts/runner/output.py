# SPDX-License-Identifier: BSD-2-Clause
"""Progress while images run, failures in full as they happen, and the table at the end."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from . import result as kinds
from .failure import describe_case, describe_problems, relative
from .processes import interrupted
from .protocol import Report
from .result import ImageResult
from .session import Job
from .summary import Summary, totals
from .terminal import Terminal

_FAILED_LINE = re.compile(r"not ok |Bail out!")


class Output:
    """Listens to the scheduler. `verbosity`: -1 quiet, 0 normal, 1 every case."""

    def __init__(
        self, terminal: Terminal, verbosity: int, strict: bool, durations: int = 0
    ) -> None:
        self.terminal = terminal
        self._total = 0
        self._durations = durations
        self._verbosity = verbosity
        self._strict = strict
        self._started = time.monotonic()
        self._running: Dict[str, Tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._results: List[ImageResult] = []
        self._red = self._skipped = 0  # of those: counted once, not at every tick
        self._width = 0

    def widen(self, names: List[str], once: bool) -> None:
        """Names to come, so that columns line up from the first line on."""
        self._width = max((len(name) for name in names), default=0) + (0 if once else 3)

    def expect(self, count: int) -> None:
        """So many images are still to come."""
        self._total += count

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
            self._red += not result.good
            self._skipped += result.verdict == kinds.SKIPPED
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
        if not self.terminal.live:
            return
        with self._lock:
            now = time.monotonic()
            running = [
                f"{name} {done} ({now - since:.0f} s)".replace("  ", " ")
                for name, (since, done) in self._running.items()
            ]
            done, red = len(self._results), self._red
            text = f"[{done}/{self._total}] {red} failed, {self._skipped} skipped"
        self.terminal.status(text + (f"; running: {', '.join(running)}" if running else ""))

    def _summary_line(self, job: Job, result: ImageResult) -> str:
        counts = Counter(case.kind for case in result.cases)
        parts = [f"{len(result.cases)} cases", f"{result.checks} checks"]
        parts += [result.combinations] if result.combinations else []
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
            if shown or (case.kind in (kinds.UNEXPECTED, kinds.FLAKY) and self._strict):
                blocks.append(describe_case(job, result, case, head(case.kind.upper())))
        return blocks

    def close(self, folder: Path, left_out: Sequence[ImageResult]) -> None:
        """The table and the totals."""
        self.terminal.status("")
        results = sorted(self._results, key=lambda r: (r.image, r.hypervisor, r.repeat))
        summary = Summary(self.terminal, self._verbosity, self._durations)
        summary.show(results, left_out)
        cut, waiting = sum(r.interrupted for r in results), self._total - len(results)
        if interrupted.is_set():
            cut, waiting = cut + waiting, 0
        seconds = time.monotonic() - self._started
        self.terminal.say(
            f"{totals(results, left_out, cut, waiting)} in {seconds:.1f} s; {_logs(folder)}"
        )


def _logs(folder: Path) -> str:
    return f"logs in {relative(folder)}"
