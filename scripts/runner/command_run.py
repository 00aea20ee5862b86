# SPDX-License-Identifier: BSD-2-Clause
"""./run without a command word: runs images and judges them."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path
from typing import List

from . import adapter as adapters_of
from . import debug, options, output, result, schedule, selection, session, terminal
from .choose import Choice, choose
from .command import Tree
from .errors import UserError
from .hypervisor import Adapter
from .machine import interrupted
from .selection import Selected


def main(argv: List[str], tree: Tree) -> int:
    """Runs what the words ask for; the exit status of ./run."""
    own, extra = options.parse(argv)
    return Run(own, extra, tree).main()


class Run:
    """What the user asked for, and the steps towards it."""

    def __init__(self, own: argparse.Namespace, extra: List[str], tree: Tree) -> None:
        self.options = own
        self.extra = extra
        self.root = tree.root
        self.hypervisors = tree.hypervisors
        self.terminal = terminal.Terminal(sys.stdout)

    def main(self) -> int:
        own = self.options
        config = self.root / "unittests.cfg"
        images = selection.select(config, own.images, own.group, own.case)
        if own.list:
            return self._list(images)
        choice = choose(own.on, adapters_of.load_all(self.hypervisors))
        tasks = self._tasks(images, choice)
        if not tasks:
            return 77
        if own.dry_run:
            return self._dry_run(tasks)
        if own.gdb:
            return self._gdb(tasks, choice)
        self._announce(tasks, choice)
        return self._run(tasks, choice)

    def _list(self, images: List[Selected]) -> int:
        for item in images:
            summary = item.image.summary or item.entry.summary
            title = self.terminal.paint(item.entry.name, "bold")
            needs = _needs(item.entry.needs)
            self.terminal.say(f"{title}{': ' if summary else ''}{summary}{needs}")
            for case in item.image.select(item.globs):
                self.terminal.say(f"  {case.name}{_needs(case.needs)}")
                if case.promise and not self.options.quiet:
                    self.terminal.say(self.terminal.paint(f"      {case.promise}", "dim"))
        return 0

    def _tasks(self, images: List[Selected], choice: Choice) -> List[schedule.Task]:
        """What to run; an image that nobody can run here is skipped in so many words."""
        shared = session.Options(
            seed=self.options.seed or "",
            extra=tuple(self.extra),
            timeout=options.timeout_from_environment(),
            timeout_scale=self.options.timeout_scale,
            build=self.root / "build",
        )
        tasks = []
        for item in images:
            fitting = choice.candidates(item.entry)
            for candidates in [fitting] if choice.auto else [[one] for one in fitting]:
                if candidates:
                    tasks.append(_task(item, candidates, choice, shared))
            self._say_who_cannot(item, choice)
        return tasks

    def _say_who_cannot(self, item: Selected, choice: Choice) -> None:
        lacks = [adapter.lacks(item.entry) for adapter in choice.adapters]
        if choice.auto and not all(lacks):
            return
        for reason in filter(None, lacks):
            self.terminal.say(f"{self.terminal.verdict('skipped')} {item.entry.name}: {reason}")

    def _dry_run(self, tasks: List[schedule.Task]) -> int:
        for task in tasks:
            job = task.make(task.candidates[0])
            launch = session.prepare(job, self.root / "build" / "dry-run" / job.name, 0)
            self.terminal.say(shlex.join(launch.command))
        return 0

    def _gdb(self, tasks: List[schedule.Task], choice: Choice) -> int:
        if len(tasks) > 1:
            raise UserError("--gdb takes one image on one hypervisor")
        able = [adapter for adapter in tasks[0].candidates if adapter.gdb]
        if not able:
            raise UserError(f"{tasks[0].candidates[0].name} does not speak to gdb")
        job = tasks[0].make(able[0])
        job.gdb_port = debug.free_port()
        task = schedule.Task(lambda _adapter: job, [able[0]])
        self._announce([task], choice)
        status: List[int] = []
        debug.run(job, self.terminal.say, lambda: status.append(self._run([task], choice)))
        return status[0] if status else 2

    def _announce(self, tasks: List[schedule.Task], choice: Choice) -> None:
        used: List[Adapter] = []
        for task in tasks:
            if task.candidates[0] not in used:
                used.append(task.candidates[0])
        self.terminal.say(choice.first_line(used))

    def _run(self, tasks: List[schedule.Task], choice: Choice) -> int:
        folder = _new_log_folder(self.root / "logs")
        tasks = [task.again(n) for n in _repeats(self.options.repeat) for task in tasks]
        verbosity = int(self.options.verbose) - int(self.options.quiet)
        out = output.Output(self.terminal, len(tasks), verbosity, self.options.strict)
        out.widen([task.make(task.candidates[0]).name for task in tasks])
        live = len(tasks) == 1 and bool(self.options.images) and verbosity >= 0
        pool = schedule.Schedule(choice, out, folder, live)
        pool.run(tasks, self.options.jobs or os.cpu_count() or 1)
        out.close(folder)
        return self._status(pool.results)

    def _status(self, results: List[result.ImageResult]) -> int:
        if interrupted.is_set():
            return 130
        if results and all(r.unlaunched for r in results):
            return 2
        if not all(r.good for r in results):
            return 1
        kinds = [case.kind for r in results for case in r.cases]
        if self.options.strict and {result.UNEXPECTED, result.MISMATCH} & set(kinds):
            return 1
        return 77 if all(kind == result.SKIPPED for kind in kinds) else 0


def _needs(words: "tuple[str, ...]") -> str:
    return f"  [needs {' '.join(words)}]" if words else ""


def _repeats(count: int) -> List[int]:
    """Numbers of repetitions; 0 where there is only one."""
    return list(range(1, count + 1)) if count > 1 else [0]


def _task(
    item: Selected, candidates: List[Adapter], choice: Choice, shared: session.Options
) -> schedule.Task:
    def make(adapter: Adapter) -> session.Job:
        version = choice.version(adapter)
        return session.Job(item.entry, item.image, adapter, version, shared, item.globs)

    return schedule.Task(make, candidates)


def _new_log_folder(logs: Path) -> Path:
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
