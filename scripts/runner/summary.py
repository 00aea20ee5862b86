# SPDX-License-Identifier: BSD-2-Clause
"""What stands at the end of a run: the table, what is known, why cases were skipped, the totals."""

from __future__ import annotations

from collections import Counter
from typing import Dict, List, Sequence, Tuple

from . import result as kinds
from .result import ImageResult, need_of
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


class Summary:
    """`verbosity`: -1 quiet, 0 normal, 1 every case; `durations`: how many of the slowest."""

    def __init__(self, terminal: Terminal, verbosity: int, durations: int) -> None:
        self.terminal = terminal
        self._verbosity = verbosity
        self._durations = durations

    def show(self, results: List[ImageResult], left_out: Sequence[ImageResult]) -> None:
        """All but the last line."""
        if len(results) > 1 and self._verbosity >= 0:
            self._table(results)
        self._combinations(results)
        self._slowest(results)
        self._remarks(results)
        self._flaky(results)
        if self._verbosity >= 0:
            self._skips(results, left_out)

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

    def _combinations(self, results: List[ImageResult]) -> None:
        """How many combinations of their axes cases tried, of how many."""
        for result in results:
            if result.combinations and self._verbosity >= 0:
                self.terminal.say(f"{result.image} on {result.hypervisor}: {result.combinations}")

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

    def _flaky(self, results: List[ImageResult]) -> None:
        for result in results:
            for case in result.cases:
                if case.kind == kinds.FLAKY:
                    name = f"{result.image}/{case.name}@{result.hypervisor}"
                    was = f"{case.was} at first, passed at attempt {case.attempts}"
                    self.terminal.say(f"{self.terminal.verdict(case.kind)} {name}: {was}")

    def _skips(self, results: List[ImageResult], left_out: Sequence[ImageResult]) -> None:
        """Counted by the coded reason: a skip that nobody sees hides what it skips."""
        cases = [c for r in results for c in r.cases if c.kind == kinds.SKIPPED]
        needs = Counter(need_of(case.text) or "other reasons" for case in cases)
        images = Counter(need_of(r.plan_reason) or "other reasons" for r in left_out)
        parts = [f"{count} {need}" for need, count in needs.most_common()]
        parts += [f"{_images(count)} {need}" for need, count in images.most_common()]
        if parts:
            self.terminal.say(f"skipped for want of: {', '.join(parts)}")

    def _slowest(self, results: List[ImageResult]) -> None:
        cases = [
            (c.seconds, f"{r.image}/{c.name}@{r.hypervisor}") for r in results for c in r.cases
        ]
        for seconds, name in sorted(cases, reverse=True)[: self._durations]:
            self.terminal.say(f"{seconds:8.3f} s  {name}")


def totals(
    results: Sequence[ImageResult], left_out: Sequence[ImageResult], interrupted: int, waiting: int
) -> str:
    """The last line's counts; the last two: of images that were cut short, and never started."""
    counts = Counter(case.kind for result in results for case in result.cases)
    passed = counts[kinds.PASSED] + counts[kinds.UNEXPECTED]
    red = {kind: n for kind, n in counts.items() if kind not in kinds.GREEN}
    failed = f"{sum(red.values())} failed"
    words = [f"{n} {kind}" for kind, n in red.items() if kind != kinds.FAILED]
    parts = [f"{passed} passed", failed + (f" ({', '.join(words)})" if words else "")]
    parts.append(f"{counts[kinds.SKIPPED]} skipped")
    for kind in (kinds.KNOWN, kinds.MISMATCH, kinds.FLAKY, kinds.UNEXPECTED):
        parts += [f"{counts[kind]} {kind}"] if counts[kind] else []
    broken = sum(bool(result.problems) for result in [*results, *left_out])
    parts += [f"{_images(broken)} failed as a whole"] if broken else []
    parts += [f"{_images(interrupted)} interrupted"] if interrupted else []
    parts += [f"{_images(waiting)} not started"] if waiting else []
    return ", ".join(parts)


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
