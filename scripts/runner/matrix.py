# SPDX-License-Identifier: BSD-2-Clause
"""The matrix of ./run sabotage: which case notices which bug, and what is wrong about that."""

from __future__ import annotations

import fnmatch
import statistics
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

from . import result as kinds
from .result import ImageResult
from .sabotage import Sabotage, Unproven

_CASE_RAN = (kinds.PASSED, kinds.FLAKY)
# No failure of a case that was not run says anything; a mismatch of CPUID is one way to notice.
_NOTICES_NOTHING = {*kinds.GREEN, kinds.NOT_RUN, kinds.MISSING} - {kinds.MISMATCH}


@dataclass(frozen=True)
class Catch:
    """A case that failed under a sabotage, and does not without."""

    case: str  # image/case
    hypervisor: str
    kind: str
    text: str
    wall: float  # seconds from the launch to the verdict; 0 where there was none
    cpu: float  # of the hypervisor's CPU time


@dataclass
class Matrix:
    """Launches are added; then it can be asked."""

    sabotages: List[Sabotage]
    unproven: List[Unproven]
    complete: bool = False  # all images and all sabotages run, to their ends
    hypervisors: Dict[str, str] = field(default_factory=dict)  # name -> version
    seconds: float = 0.0
    launches: int = 0
    spared: int = 0  # launches of images under bugs that they have no occasion for
    # image -> "" or sabotage -> what happened
    caught: Dict[str, List[Catch]] = field(default_factory=dict)
    broken: List[str] = field(default_factory=list)  # images that are not whole without a sabotage
    _clean: Dict[Tuple[str, str], ImageResult] = field(default_factory=dict)

    def add_clean(self, result: ImageResult) -> None:
        """The image without any sabotage."""
        self._clean[(result.image, result.hypervisor)] = result
        self.hypervisors[result.hypervisor] = result.version
        self.launches += result.launches
        if result.problems:
            self.broken.append(f"{result.image}@{result.hypervisor}: {result.problems[0].text}")

    def add(self, name: str, result: ImageResult) -> None:
        """The image under the sabotage of this name."""
        self.launches += result.launches
        clean = self._clean[(result.image, result.hypervisor)]
        good = {case.name for case in clean.cases if case.kind in _CASE_RAN}
        found = self.caught.setdefault(name, [])
        told = {(catch.case, catch.hypervisor) for catch in found}
        for case in result.cases:
            if (f"{result.image}/{case.name}", result.hypervisor) in told:
                continue
            if case.name in good and case.kind not in _NOTICES_NOTHING:
                text = (case.text or case.kind).splitlines()[0]
                where = f"{result.image}/{case.name}"
                found.append(Catch(where, result.hypervisor, case.kind, text, *case.after))
        if result.problems and not clean.problems:
            problem = result.problems[0]
            where = f"{result.image}/"
            found.append(Catch(where, result.hypervisor, problem.kind, problem.text, 0.0, 0.0))

    def merge(self, came: Sequence[Tuple[str, ImageResult]]) -> None:
        """Launches of several runs, of which any may have begun with one that had no bug."""
        for bug, result in came:
            if not bug:
                self.add_clean(result)
        for bug, result in came:
            if bug and (result.image, result.hypervisor) in self._clean:
                self.add(bug, result)

    def of(self, sabotage: Sabotage) -> List[Catch]:
        """Who noticed, in the order in which images ran."""
        return self.caught.get(sabotage.name, [])

    def first(self, sabotage: Sabotage) -> Optional[Catch]:
        """The catch that came soonest after a launch."""
        timed = [catch for catch in self.of(sabotage) if catch.wall]
        return min(timed, key=lambda catch: (catch.cpu, catch.wall)) if timed else None

    @property
    def images(self) -> List[str]:
        return list(dict.fromkeys(image for image, _ in self._clean))

    @property
    def cases(self) -> List[str]:
        """Cases that ran and passed without a sabotage."""
        return list(
            dict.fromkeys(
                f"{image}/{case.name}"
                for (image, _), result in self._clean.items()
                for case in result.cases
                if case.kind in _CASE_RAN
            )
        )

    def by_case(self) -> Dict[str, List[str]]:
        """For each case the sabotages that it notices."""
        found: Dict[str, List[str]] = {case: [] for case in self.cases}
        for sabotage in self.sabotages:
            if not sabotage.is_control:
                for case in dict.fromkeys(catch.case for catch in self.of(sabotage)):
                    found.setdefault(case, []).append(sabotage.name)
        return found

    def uncaught(self) -> List[Sabotage]:
        return [one for one in self.sabotages if not one.is_control and not self.of(one)]

    def failed_controls(self) -> List[Tuple[Sabotage, Catch]]:
        """Cases that fail on what is permitted: the worst that can be said of a suite."""
        return [(one, catch) for one in self.sabotages if one.is_control for catch in self.of(one)]

    def reason_of(self, case: str) -> str:
        """Why nothing proves this case, as listed."""
        return next((u.reason for u in self.unproven if fnmatch.fnmatchcase(case, u.case)), "")

    def has_more_to_show(self, image: str, hypervisor: str) -> bool:
        """Whether a case that ran there, or may, has noticed nothing so far and is not listed; it
        is always so for the first hypervisor that runs the image."""
        clean = {on: result for (name, on), result in self._clean.items() if name == image}
        if all(on == hypervisor for on in clean):
            return True
        found, here = self.by_case(), clean.get(hypervisor)
        open_cases = {
            f"{image}/{case.name}"
            for result in ([here] if here else clean.values())
            for case in result.cases
            if not here or case.kind in _CASE_RAN
        }
        return any(not found.get(case) and not self.reason_of(case) for case in open_cases)

    def unproven_cases(self) -> List[str]:
        return [case for case, names in self.by_case().items() if not names]

    def unlisted(self) -> List[str]:
        """Cases that noticed nothing, without a listed reason; known when all was run only."""
        if not self.complete:
            return []
        return [case for case in self.unproven_cases() if not self.reason_of(case)]

    def wrongly_listed(self) -> List[str]:
        """Cases that are listed and did notice something."""
        return [case for case, names in self.by_case().items() if names and self.reason_of(case)]

    def median(self, clock: str) -> Optional[float]:
        """Over all sabotages, of the seconds to the first failing check; `clock`: wall or cpu."""
        soonest = [
            min((getattr(catch, clock) for catch in self.of(one) if catch.wall), default=None)
            for one in self.sabotages
            if not one.is_control
        ]
        known = [seconds for seconds in soonest if seconds is not None]
        return statistics.median(known) if known else None

    @property
    def good(self) -> bool:
        wrong: Sequence[object] = (
            *self.uncaught(),
            *self.failed_controls(),
            *self.unlisted(),
            *self.wrongly_listed(),
            *self.broken,
        )
        return not wrong
