# SPDX-License-Identifier: BSD-2-Clause
"""--retry: what failed is tried again, and a pass then is flaky: never simply passed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import List

from . import guests
from .batch import Pool
from .result import FLAKY, GREEN, PASSED, CaseResult, ImageResult
from .session import Ears, Job


def run(job: Job, folder: Path, outers: Pool, ears: Ears) -> ImageResult:
    """The image, then its failures as often as is allowed."""
    result = guests.run(job, folder, outers, ears)
    for attempt in range(1, job.options.retries + 1):
        failed = [case for case in result.cases if case.kind not in GREEN]
        if result.interrupted or not (failed or result.problems):
            break
        where = folder / f"retry-{attempt}"
        if result.problems:
            result = _whole(result, guests.run(job, where, outers, ears), attempt)
        else:
            again = replace(job, globs=tuple(case.name for case in failed))
            _merge(result, failed, guests.run(again, where, outers, ears), attempt)
    return result


def _merge(
    result: ImageResult, failed: List[CaseResult], second: ImageResult, attempt: int
) -> None:
    """Cases that pass now were flaky; what they said when they failed stays."""
    passed = {case.name for case in second.cases if case.kind == PASSED}
    passed = passed if not second.problems else set()
    for case in failed:
        case.attempts = attempt + 1
        if case.name in passed:
            case.was, case.kind = case.kind, FLAKY
    result.seconds += second.seconds
    result.launches += second.launches
    result.interrupted = second.interrupted


def _whole(first: ImageResult, second: ImageResult, attempt: int) -> ImageResult:
    """Nobody knows which case was at fault, so no pass of the second time is a plain one."""
    for case in second.cases:
        case.attempts = attempt + 1
        if case.kind == PASSED:
            case.was, case.kind = first.problems[0].kind, FLAKY
            case.text = f"at first the whole image failed: {first.problems[0].text}"
    second.seconds += first.seconds
    second.launches += first.launches
    return second
