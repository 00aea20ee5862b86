# SPDX-License-Identifier: BSD-2-Clause
"""Outer machines: started once, each runs many images, one after the other.

An adapter with a `batch` command needs one for each launch. An image is judged as if it was
launched alone: the launch itself is a process of its own (the adapter's `command`) that listens to
its guest through the outer machine, with the limits of every other launch. An outer machine that
died, or does not answer, is replaced before the next launch; a launch that said nothing because of
that is made again (scripts/runner/session.py).
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from .errors import UserError
from .hypervisor import ROOT, Adapter, fill
from .link import Link, Lost, Refused
from .processes import forget, interrupted, kill_group, remember

_READY_WITHIN = 90.0  # seconds from the start
_ANSWER_WITHIN = 10.0
_CONNECT_WITHIN = 10.0
_TOLD = 5  # lines of an outer machine's last words


def command_of(adapter: Adapter, folder: Path, extra: List[str]) -> List[str]:
    """How to start the outer machine that lies in `folder`, which is its current folder, too."""
    program = adapter.find_program() or adapter.program
    values = {"program": program, "outer": str(folder), "root": str(ROOT)}
    return [fill(word, values) for word in adapter.batch] + extra


def answers(folder: Path) -> bool:
    """Whether the outer machine in that folder takes orders; ends what an earlier one left."""
    try:
        with contextlib.closing(Link(folder, _ANSWER_WITHIN)) as link:
            link.sync()
    except Lost:
        return False
    return True


class Outer:
    """One outer machine, up and waiting."""

    def __init__(self, adapter: Adapter, folder: Path, extra: List[str]) -> None:
        self.name = adapter.name
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        command = command_of(adapter, folder, extra)
        (folder / "command").write_text(shlex.join(command) + "\n", encoding="utf-8")
        with (folder / "stderr.log").open("wb") as errors:
            try:
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    start_new_session=True,
                )
            except OSError as error:
                raise UserError(f"cannot start {command[0]}: {error.strerror}") from None
        remember(self._process.pid)
        try:
            self._wait_until_ready()
        except BaseException:
            self.end()
            raise

    def _wait_until_ready(self) -> None:
        """Returns when it takes orders, or when everything is being interrupted."""
        until = time.monotonic() + _READY_WITHIN
        try:
            link = self._connect()
            with contextlib.closing(link):
                while not interrupted.is_set() and not self._ready(link, until):
                    pass
        except Lost as error:
            text = f"{self.name}: {error} instead of getting ready{self._told()}"
            raise UserError(text) from None

    def _ready(self, link: Link, until: float) -> bool:
        """Waits a little, so that an interrupt is noticed; what was received is kept."""
        try:
            link.wait_for(b"ready")
        except Refused:
            raise
        except Lost:
            if time.monotonic() > until or self._process.poll() is not None:
                raise
            return False
        return True

    def _connect(self) -> Link:
        """As soon as there is a socket to connect to."""
        until = time.monotonic() + _CONNECT_WITHIN
        while True:
            try:
                return Link(self.folder, 1.0)
            except Lost:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def _told(self) -> str:
        """Its last words."""
        lines: List[str] = []
        for name in ("stderr.log", "kernel.log"):
            with contextlib.suppress(OSError):
                text = (self.folder / name).read_text(encoding="utf-8", errors="replace")
                lines += text.splitlines()[-_TOLD:]
        return "".join("\n    " + line for line in lines)

    def answers(self) -> bool:
        """Is it alive and idle? Ends what an earlier launch has left running."""
        return self._process.poll() is None and answers(self.folder)

    def end(self) -> None:
        """Kills it and removes what is of no use any more."""
        kill_group(self._process.pid)
        self._process.wait()
        forget(self._process.pid)
        for name in ("shared", "control"):
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()


class Pool:
    """The outer machines of a run: as many of a kind as are used at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._idle: Dict[str, List[Outer]] = {}
        self._started = 0

    @contextlib.contextmanager
    def lend(self, adapter: Adapter, extra: List[str]) -> Iterator[Optional[Path]]:
        """The folder of an outer machine for one launch; None where the adapter wants none."""
        if not adapter.batch:
            yield None
            return
        outer = self._take(adapter.name) or self._start(adapter, extra)
        try:
            yield outer.folder
        finally:
            with self._lock:
                self._idle.setdefault(adapter.name, []).append(outer)

    def _take(self, name: str) -> Optional[Outer]:
        """One that is idle and well; others of them are ended."""
        while True:
            with self._lock:
                idle = self._idle.get(name)
                if not idle:
                    return None
                outer = idle.pop()
            if outer.answers():
                return outer
            outer.end()

    def _start(self, adapter: Adapter, extra: List[str]) -> Outer:
        with self._lock:
            self._started += 1
            number = self._started
        return Outer(adapter, self._folder / f"outer-{number}@{adapter.name}", extra)

    def close(self) -> None:
        """Ends all of them; every launch is over by then."""
        with self._lock:
            for outers in self._idle.values():
                for outer in outers:
                    outer.end()
            self._idle.clear()
