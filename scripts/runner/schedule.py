# SPDX-License-Identifier: BSD-2-Clause
"""Runs many images at the same time; falls back where a hypervisor is unable to run a guest."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Set, Tuple

from . import batch, retry, session
from .choose import Choice
from .errors import UserError
from .hypervisor import Adapter
from .processes import interrupted, kill_all
from .output import Output
from .result import PASSED, SKIPPED, CaseResult, ImageResult
from .session import Job

_TICK = 0.25
Recorder = Callable[[Job, ImageResult], None]
Judge = Callable[[ImageResult], bool]


@dataclass
class Task:
    """One image, and the hypervisors that may run it, best first."""

    make: Callable[[Adapter], Job]
    candidates: List[Adapter]

    def again(self, number: int) -> "Task":
        """The same as one of several repetitions; 0 when it is the only one."""

        def make(adapter: Adapter) -> Job:
            job = self.make(adapter)
            job.repeat = number
            return job

        return Task(make, self.candidates)


class _Same:
    """Repetitions mostly say the same: what they say is kept once, so that memory stays flat."""

    def __init__(self) -> None:
        self._cases: Dict[Tuple[object, ...], CaseResult] = {}
        self._facts: Dict[Tuple[object, ...], Dict[str, str]] = {}

    def share(self, result: ImageResult) -> None:
        """Replaces what was seen before; of a case's times the longest stays."""
        for at, case in enumerate(result.cases):
            if case.kind in (PASSED, SKIPPED):
                key = (result.image, result.hypervisor, case.number, case.name, case.kind)
                kept = self._cases.setdefault((*key, case.text, case.checks, case.asked), case)
                kept.seconds = max(kept.seconds, case.seconds)
                result.cases[at] = kept
        result.facts = self._facts.setdefault(tuple(sorted(result.facts.items())), result.facts)


class Schedule:
    """A pool of threads; each waits for one hypervisor process at a time."""

    def __init__(
        self,
        choice: Choice,
        output: Output,
        folder: Path,
        live: bool,
        record: Recorder,
        enough: Judge = lambda _result: False,
    ) -> None:
        """After a result that is `enough` no more machine is started."""
        self.results: List[ImageResult] = []
        self._choice = choice
        self._output = output
        self._folder = folder
        self._live = live
        self._record = record
        self._is_enough = enough
        self._enough = threading.Event()
        self._same = _Same()
        self._outers = batch.Pool(folder)
        self._error: Optional[BaseException] = None
        self._lock = threading.Lock()
        self._trial = threading.Lock()
        self._busy = 0  # workers that are not done
        self._idle = threading.Event()
        self._proven: Set[str] = set()
        self._unable: Set[str] = set()

    def run(self, tasks: List[Task], workers: int) -> None:
        """Returns when every task is done; on Ctrl-C ends all machines first."""
        todo: "queue.SimpleQueue[Task]" = queue.SimpleQueue()
        for task in tasks:
            todo.put(task)
        count = max(1, min(workers, len(tasks)))
        self._busy = count
        for _ in range(count):
            threading.Thread(target=self._work, args=(todo,)).start()
        self._wait()
        self._idle.clear()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Nothing more is to be run."""
        self._outers.close()

    def _wait(self) -> None:
        """Not by joining: an interrupted join takes a running thread for a finished one."""
        while not self._idle.is_set():
            try:
                self._idle.wait(_TICK if self._output.terminal.live else None)
                self._output.tick()
            except KeyboardInterrupt:
                kill_all()

    def _work(self, todo: "queue.SimpleQueue[Task]") -> None:
        try:
            while not (interrupted.is_set() or self._enough.is_set()) and self._error is None:
                self._run_task(todo.get_nowait())
        except queue.Empty:
            pass
        except BrokenPipeError as error:  # whoever read our output is gone
            self._error = error
        except OSError as error:
            where = f" to {self._folder}" if error.filename is None else f": {error.filename}"
            self._error = UserError(f"cannot write the logs{where}: {error.strerror}")
        except BaseException as error:  # shown by the main thread
            self._error = error
        finally:
            with self._lock:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()

    def _run_task(self, task: Task) -> None:
        for adapter in task.candidates:
            if adapter.name in self._unable:
                continue
            spare = adapter is not task.candidates[-1]
            if self._run_on(adapter, task, spare):
                return

    def _run_on(self, adapter: Adapter, task: Task, spare: bool) -> bool:
        """False when the hypervisor is unable to run a guest, and there is another."""
        if not (self._choice.auto and adapter.tentative and spare):
            self._finish(task.make(adapter))
            return True
        if adapter.name in self._proven:
            self._finish(task.make(adapter))
            return True
        # The first image is the trial; the others wait for its outcome.
        with self._trial:
            if adapter.name in self._unable:
                return False
            if adapter.name in self._proven:
                pass
            elif not self._try(adapter, task.make(adapter)):
                return False
            else:
                return True
        self._finish(task.make(adapter))
        return True

    def _try(self, adapter: Adapter, job: Job) -> bool:
        result = self._launch(job)
        if not result.booted and not result.interrupted:
            self._unable.add(adapter.name)
            self._output.dropped(job)
            why = result.problems[0].text if result.problems else "nothing was reported"
            detail = f": {result.stderr.splitlines()[0]}" if result.stderr else ""
            self._output.terminal.say(f"no guest starts on {adapter.name} ({why}{detail})")
            return False
        self._proven.add(adapter.name)
        self._done(job, result)
        return True

    def _finish(self, job: Job) -> None:
        self._done(job, self._launch(job))

    def _launch(self, job: Job) -> ImageResult:
        self._output.started(job)
        ears = session.Ears(
            lambda report: self._output.progress(job, report),
            self._output.line if self._live else None,
        )
        return retry.run(job, self._folder / job.folder, self._outers, ears)

    def _done(self, job: Job, result: ImageResult) -> None:
        self._record(job, result)
        self._output.finished(job, result, self._live)
        if self._is_enough(result):
            self._enough.set()
        with self._lock:
            self._same.share(result)
            self.results.append(result)
