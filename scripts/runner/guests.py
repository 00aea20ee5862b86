# SPDX-License-Identifier: BSD-2-Clause
"""Images that ask for several guests at once (`guests = 2`): all are launched, and all are judged.

Each guest is told its number, has a log folder of its own, and is started again by itself where it
must be. A case has passed when it has in every guest.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import List, Optional

from . import session
from .batch import Pool
from .result import BROKEN, GREEN, CaseResult, ImageResult, Problem
from .session import Ears, Job


def run(job: Job, folder: Path, outers: Pool, ears: Ears) -> ImageResult:
    """The one guest of most images; or all, and one verdict on them."""
    count = job.entry.guests
    if count < 2:
        return session.run(job, folder, outers, ears)
    if job.gdb_port:
        count = 1  # nobody follows two at once
    results: List[Optional[ImageResult]] = [None] * count
    errors: List[BaseException] = []

    def run_one(number: int) -> None:
        own = replace(job, guest=number)
        try:
            where = folder / f"guest-{number}"
            results[number - 1] = session.run(own, where, outers, _ears_of(number, ears))
        except BaseException as error:  # raised by the thread that waits for all
            errors.append(error)

    threads = [threading.Thread(target=run_one, args=(n,)) for n in range(1, count + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    merged = merge([result for result in results if result is not None])
    merged.folder = folder
    session.save(merged)
    return merged


def _ears_of(number: int, ears: Ears) -> Ears:
    """The first guest's report is shown as it is; what others say are remarks to it."""
    if number == 1 or ears.line is None:
        return ears if number == 1 else Ears()
    say = ears.line
    return Ears(None, lambda text: say(f"# guest {number}: {text}"))


def merge(results: List[ImageResult]) -> ImageResult:
    """One result of all guests' ones; what is wrong says in which guest."""
    first = results[0]
    for number, result in enumerate(results, 1):
        for problem in result.problems:
            problem.text = f"guest {number}: {problem.text}"
        for case in result.cases:
            _name_guest(case, number)
    for number, result in enumerate(results[1:], 2):
        _add_image(first, result, number)
        others = {case.number: case for case in result.cases}
        first.cases = [_worse(case, others.get(case.number)) for case in first.cases]
    return first


def _name_guest(case: CaseResult, number: int) -> None:
    if case.kind in GREEN:
        return
    case.text = f"guest {number}: {case.text}"
    if "message" in case.details:
        case.details["message"] = f"guest {number}: {case.details['message']}"


def _add_image(first: ImageResult, result: ImageResult, number: int) -> None:
    if result.planned != first.planned and not (first.problems or result.problems):
        text = f"guest 1 planned {first.planned} cases and guest {number} {result.planned}"
        first.problems.append(Problem(BROKEN, text))
    first.problems += result.problems
    first.notes += [f"guest {number}: {note}" for note in result.notes]
    first.seconds = max(first.seconds, result.seconds)
    first.launches += result.launches
    first.interrupted = first.interrupted or result.interrupted
    first.booted = first.booted and result.booted
    first.unlaunched = first.unlaunched and result.unlaunched
    first.stderr = first.stderr or result.stderr
    first.state = first.state if first.state.lines else result.state


def _worse(case: CaseResult, other: Optional[CaseResult]) -> CaseResult:
    """The one that went wrong, or else the first; with the checks of both."""
    if other is None:
        return case
    chosen, left = case, other
    if case.kind in GREEN and other.kind not in GREEN:
        chosen, left = other, case
    elif other.kind not in GREEN:
        case.text = f"{case.text}; {other.text}"
    chosen.checks += left.checks
    chosen.asked = _either(chosen.asked, left.asked)
    chosen.seconds = max(chosen.seconds, left.seconds)
    return chosen


def _either(one: str, other: str) -> str:
    """Bits that are set in one of these numbers; nothing where one of them is not known."""
    if not one or not other:
        return ""
    return format(int(one, 16) | int(other, 16), f"0{len(one)}x")
