# SPDX-License-Identifier: BSD-2-Clause
"""Image after image under bug after bug, into the matrix."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional, Tuple

from . import output, schedule
from . import sabotage as sabotages
from .choose import Choice
from .hypervisor import Adapter
from .kept_runs import KeptRuns
from .matrix import Matrix
from .processes import interrupted
from .reach import SCOUTS, Reach
from .result import FAILED, ImageResult
from .sabotage import Sabotage
from .schedule import Task
from .session import Job
from .terminal import Terminal

_NONE: FrozenSet[str] = frozenset()


class _Quiet(output.Output):
    """Failures are what is wanted here: they are counted, not told."""

    def finished(self, job: Job, result: ImageResult, live: bool) -> None:
        self.dropped(job)


class Runs:
    """`own` is what the command line asks for."""

    def __init__(
        self, own: argparse.Namespace, matrix: Matrix, choice: Choice, folder: Path, say: Terminal
    ) -> None:
        self._own = own
        self._matrix = matrix
        self._say = say
        self._kept = KeptRuns(own.keep)
        self._out = _Quiet(say, -1, False)
        self._pool = schedule.Schedule(choice, self._out, folder, False, self._take)
        self._bugs = list(matrix.sabotages)
        self._jobs = own.jobs or os.cpu_count() or 1
        self._came: List[Tuple[str, ImageResult]] = []  # bug -> what it did to the image
        self._reaches: Dict[Tuple[str, str], Reach] = {}  # image, hypervisor
        self._record: Dict[str, Tuple[int, int]] = {}  # bug -> cases tried, and that noticed

    def run(self, tasks: List[Task]) -> None:
        """What comes of one image is whole before the next begins."""
        try:
            for task in tasks:
                self._run_one(task, self._bugs)
                if interrupted.is_set():
                    break
            if self._own.enough:
                self._catch_the_rest(tasks)
        finally:
            self._pool.close()
            self._say.status("")

    def _catch_the_rest(self, tasks: List[Task]) -> None:
        """Bugs that had no turn, since all cases that might notice them had noticed others."""
        for task in sorted(tasks, key=lambda task: self._key(task) not in self._reaches):
            left = [one for one in self._matrix.uncaught() if one in self._bugs]
            if left and not interrupted.is_set():
                self._run_one(task, left, again=True)

    def _run_one(self, task: Task, bugs: List[Sabotage], again: bool = False) -> None:
        matrix, job = self._matrix, task.make(task.candidates[0])
        before = {one.name: len(matrix.of(one)) for one in bugs}
        reach = self._scout(task, again)
        if reach is None or interrupted.is_set():
            return
        if self._own.enough and not again:
            self._launch(self._worthwhile(task, [b for b in bugs if b.is_control], reach))
            self._until_proven(task, [b for b in bugs if not b.is_control], reach)
        else:
            self._launch(self._worthwhile(task, bugs, reach))
        noticed = sum(len(matrix.of(one)) > before[one.name] for one in bugs)
        if noticed or not again:
            self._say.say(f"{job.name}: noticed {noticed} of {len(bugs)}")

    @staticmethod
    def _key(task: Task) -> Tuple[str, str]:
        return (task.make(task.candidates[0]).entry.name, task.candidates[0].name)

    def _is_spared(self, key: Tuple[str, str], again: bool) -> bool:
        return bool(self._own.enough and not again and not self._matrix.has_more_to_show(*key))

    def _scout(self, task: Task, again: bool) -> Optional[Reach]:
        """The image as it is and under the scouts; None: it does not run, or need not."""
        image = task.make(task.candidates[0]).entry.file
        key = self._key(task)
        if key in self._reaches:
            return self._reaches[key]
        if self._is_spared(key, again):
            return None
        self._launch([self._under(task, "", _NONE)])
        if not self._came or interrupted.is_set():
            return None
        if self._is_spared(key, again):
            return None
        reach = Reach([one.name for one in sabotages.of_image(image)], self._came[0][1])
        self._launch([self._under(task, name, _NONE) for name in reach.scouts])
        for scout, result in self._came:
            reach.hear(scout, result)
        self._reaches[key] = reach
        return reach

    def _worthwhile(self, task: Task, bugs: List[Sabotage], reach: Reach) -> List[Task]:
        """Launches that can show something."""
        made = []
        for one in bugs:
            done = self._own.first and self._matrix.of(one)
            if one.name in reach.scouts or done:
                continue
            omitted = reach.omitted(one.name, _NONE)
            if omitted is None:
                self._matrix.spared += 1
            else:
                made.append(self._under(task, one.name, omitted))
        return made

    def _until_proven(self, task: Task, bugs: List[Sabotage], reach: Reach) -> None:
        """Those first that the most cases may notice which have noticed nothing so far."""
        left = [one.name for one in bugs]
        while left and not interrupted.is_set():
            proven = self._proven(task)
            worth = {name: self._worth(name, reach.count(name, proven)) for name in left}
            picked = sorted((n for n in left if worth[n]), key=lambda n: -worth[n])[: self._jobs]
            if not picked:
                break
            tasks = []
            for name in picked:
                omitted = reach.omitted(name, proven)
                tasks.append(self._under(task, name, omitted or _NONE))
                tried, noticed = self._record.get(name, (0, 0))
                self._record[name] = (tried + reach.count(name, proven), noticed)
            self._launch(tasks)
            for name, result in self._came:
                tried, noticed = self._record[name]
                self._record[name] = (tried, noticed + sum(c.kind == FAILED for c in result.cases))
            left = [name for name in left if name not in picked]
        self._matrix.spared += len(left)

    def _worth(self, name: str, cases: int) -> float:
        """How many of so many cases will notice, by what was seen of this bug."""
        tried, noticed = self._record.get(name, (0, 0))
        return cases * (noticed + 1) / (tried + 2)

    def _proven(self, task: Task) -> FrozenSet[str]:
        """Cases of the image that need not show any more that they can fail."""
        job = task.make(task.candidates[0])
        image, found = job.entry.name, self._matrix.by_case()
        return frozenset(c.name for c in job.image.cases if found.get(f"{image}/{c.name}"))

    def _under(self, task: Task, name: str, omitted: FrozenSet[str]) -> Task:
        """The image with a bug; without one, and under a scout, it runs to its end in any case."""

        def make(adapter: Adapter) -> Job:
            job = task.make(adapter)
            limit = self._own.limit * adapter.time_scale
            first = self._own.first and bool(name) and name not in SCOUTS
            job.options = replace(
                job.options, sabotage=name, omitted=omitted, first=first, timeout=limit
            )
            return job

        return Task(make, task.candidates)

    def _launch(self, tasks: List[Task]) -> None:
        """All of them, but for those whose outcome was kept."""
        self._came = []
        left = []
        for task in tasks:
            job = task.make(task.candidates[0])
            kept = self._kept.recall(job)
            if kept is not None:
                self._add(job, kept)
            else:
                left.append(task)
        self._out.expect(len(left))
        if left:
            self._pool.run(left, self._jobs)

    def _take(self, job: Job, result: ImageResult) -> None:
        if not result.interrupted:
            self._kept.keep(job, result)
            self._add(job, result)

    def _add(self, job: Job, result: ImageResult) -> None:
        name = job.options.sabotage
        self._came.append((name, result))
        if name:
            self._matrix.add(name, result)
        else:
            self._matrix.add_clean(result)
