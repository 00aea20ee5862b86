# SPDX-License-Identifier: BSD-2-Clause
"""A planned run, once or again and again, from its log folder to its reports and its status."""

from __future__ import annotations

import argparse
import itertools
import os
import time
from pathlib import Path
from typing import Iterator, List, Sequence

from . import host, output, schedule
from . import result as kinds
from .choose import Choice
from .errors import UserError
from .processes import interrupted
from .plan import Plan
from .reports import collect, writer
from .result import ImageResult
from .session import Job
from .terminal import Terminal


class Execution:
    """The steps of a run."""

    def __init__(
        self, own: argparse.Namespace, argv: List[str], logs: Path, terminal: Terminal
    ) -> None:
        self.options = own
        self.argv = argv
        self.logs = logs
        self.terminal = terminal

    def run(self, made: Plan, choice: Choice) -> int:
        """Everything that was planned; returns the status of ./run."""
        own = self.options
        began = time.monotonic()
        record = writer.started(["./run", *self.argv], own.strict, host.context())
        for task in made.tasks:
            for adapter in task.candidates[:1]:
                record.hypervisors[adapter.name] = choice.version(adapter)
        reports = writer.Writer(own, record)
        folder = new_log_folder(self.logs)
        verbosity = int(own.verbose) - int(own.quiet)
        once = own.repeat < 2 and not own.until_fail
        live = len(made.tasks) == 1 and bool(own.images) and verbosity >= 0 and once
        out = output.Output(self.terminal, verbosity, own.strict, own.durations)
        out.widen([task.make(task.candidates[0]).name for task in made.tasks], once)

        def take(job: Job, result: ImageResult) -> None:
            if reports.wanted:
                reports.take(collect.image_record(job, result))

        for job, result in made.left_out:
            take(job, result)
        pool = schedule.Schedule(choice, out, folder, live, take, self._enough)
        try:
            for batch in self._rounds(made.tasks):
                out.expect(len(batch))
                pool.run(batch, own.jobs or os.cpu_count() or 1)
                if interrupted.is_set() or (own.until_fail and self._status(pool.results, made)):
                    break
        finally:
            pool.close()
        out.close(folder, [result for _, result in made.left_out])
        status = self._status(pool.results, made)
        reports.close(status, time.monotonic() - began)
        return status

    def _rounds(self, tasks: List[schedule.Task]) -> Iterator[List[schedule.Task]]:
        """All repetitions at once, or one after another as long as nothing fails."""
        own = self.options
        if own.until_fail:
            numbers = range(1, own.repeat + 1) if own.repeat else itertools.count(1)
            for number in numbers:
                yield [task.again(number) for task in tasks]
        elif own.repeat > 1:
            yield [task.again(n) for n in range(1, own.repeat + 1) for task in tasks]
        else:
            yield tasks

    def _enough(self, result: ImageResult) -> bool:
        """A guest that never started says nothing about the others."""
        if not (self.options.fail_fast or self.options.bisect) or result.unlaunched:
            return False
        return not result.interrupted and self._fails(result)

    def _fails(self, result: ImageResult) -> bool:
        found = {case.kind for case in result.cases}
        doubtful = {kinds.UNEXPECTED, kinds.MISMATCH, kinds.FLAKY} & found
        return not result.good or bool(self.options.strict and doubtful)

    def _status(self, results: Sequence[ImageResult], made: Plan) -> int:
        if interrupted.is_set():
            return 130
        if results and all(r.unlaunched for r in results):
            return 2
        left_out = [result for _, result in made.left_out]
        if any(self._fails(r) for r in [*results, *left_out]):
            return 1
        found = {case.kind for r in results for case in r.cases}
        return 77 if found <= {kinds.SKIPPED} else 0


def new_log_folder(logs: Path) -> Path:
    """A folder of this run's own, and `last` pointing at it."""
    stamp = time.strftime("%Y-%m-%d_%H%M%S")
    try:
        logs.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = logs / (stamp if number == 1 else f"{stamp}.{number}")
            try:
                folder.mkdir()
                break
            except FileExistsError:  # another run of the same second
                number += 1
        link = logs / f".last.{os.getpid()}"
        link.symlink_to(folder.name)
        link.replace(logs / "last")
        return folder
    except OSError as error:
        raise UserError(f"cannot write logs to {logs}: {error.strerror}") from None
