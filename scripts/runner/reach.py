# SPDX-License-Identifier: BSD-2-Clause
"""Which cases a bug can make a difference to: launches that can show nothing are saved.

A guest that plays a bug says after each case which of all the bugs would have made a difference to
it. Two controls are the scouts that hear of all: under the one nothing is cached, under the other
everything. Neither does anything wrong, so a bug that a case did not ask for under them would not
have had an occasion to act in it either.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, Optional, Set

from . import result as kinds
from .result import ImageResult

SCOUTS = ("caches_nothing", "caches_all_it_may")
# As many of an image's cases as a guest can be told to leave out.
_MOST_OMITTED = 64


class Reach:
    """Of one image on one hypervisor."""

    def __init__(self, listed: List[str], clean: ImageResult) -> None:
        self.scouts = [name for name in SCOUTS if name in listed]
        self._at = {name: at for at, name in enumerate(listed)}
        self._all = [case.name for case in clean.cases]
        self._idle = {c.name for c in clean.cases if c.kind not in (kinds.PASSED, kinds.FLAKY)}
        self._asked: Dict[str, Set[str]] = {name: set() for name in self._all}
        self._heard: Dict[str, Set[str]] = {name: set() for name in self._all}

    def hear(self, scout: str, result: ImageResult) -> None:
        """What became of the image under this scout."""
        for case in result.cases:
            if case.asked and case.name in self._asked:
                self._heard[case.name].add(scout)
                self._asked[case.name] |= {n for n in self._at if self._bit(case.asked, n)}

    def _bit(self, digits: str, name: str) -> bool:
        digit, bit = divmod(self._at[name], 4)
        return digit >= len(digits) or bool(int(digits[digit], 16) >> bit & 1)

    def omitted(self, name: str, proven: Iterable[str]) -> Optional[FrozenSet[str]]:
        """The cases that need not run under this bug; None: the image need not."""
        out = self._idle | set(proven) | {case for case in self._all if not self._can(name, case)}
        if len(out) == len(self._all):
            return None
        return frozenset(out) if len(self._all) <= _MOST_OMITTED else frozenset()

    def count(self, name: str, proven: Iterable[str]) -> int:
        """How many cases can notice it, besides these."""
        out = self._idle | set(proven)
        return sum(case not in out and self._can(name, case) for case in self._all)

    def _can(self, name: str, case: str) -> bool:
        """Where a scout's word is missing, anything can be."""
        known = len(self.scouts) == len(SCOUTS) and self._heard[case] == set(SCOUTS)
        return not known or name in self._asked[case]
