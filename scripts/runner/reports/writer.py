# SPDX-License-Identifier: BSD-2-Clause
"""Writes the reports that were asked for; each file is opened before anything is launched."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections import Counter
from typing import Any, Callable, Dict, List, Optional, TextIO

from .. import record
from ..errors import UserError
from ..record import Image, Run
from . import github, html, junit, ktap, tap

_FORMATS: Dict[str, Callable[[Run], str]] = {
    "tap": tap.render,
    "ktap": ktap.render,
    "junit": junit.render,
    "html": html.render,
}


def uses_stdout(options: argparse.Namespace) -> bool:
    """Does a report go where people would read otherwise?"""
    names = [getattr(options, name) for name in (*_FORMATS, "json")]
    if names.count("-") > 1:
        raise UserError("two reports cannot both go to standard output")
    return "-" in names


class Writer:
    """JSON lines are written as results come; other formats need the whole run."""

    def __init__(self, options: argparse.Namespace, run: Run) -> None:
        self.run = run
        self._github = options.github
        self._files = {name: getattr(options, name) for name in _FORMATS if getattr(options, name)}
        self._streams = {name: _open(name, path) for name, path in self._files.items()}
        self._json: Optional[TextIO] = _open("json", options.json) if options.json else None
        self._counts: "Counter[str]" = Counter()
        self._lock = threading.Lock()
        if self._json is not None:
            self._say(record.head_line(run))

    @property
    def wanted(self) -> bool:
        """Is there any report to be made?"""
        return bool(self._streams or self._json or self._github)

    def take(self, image: Image) -> None:
        """A finished image. Kept only when a format needs all of them."""
        with self._lock:
            self._counts.update(image.counts)
            if self._streams or self._github:
                self.run.images.append(image)
            if self._json is not None:
                for line in record.image_lines(image):
                    self._say(line)

    def close(self, status: int, seconds: float) -> None:
        """The end of the run."""
        self.run.status, self.run.seconds = status, round(seconds, 3)
        self.run.images.sort(key=lambda i: (i.image, i.hypervisor, i.repeat))
        if self._json is not None:
            self._say(record.end_line(self.run, dict(self._counts)))
            _finish("json", self._json)
        for name, stream in self._streams.items():
            _put(name, stream, _FORMATS[name](self.run))
            _finish(name, stream)
        if self._github:
            self._write_github()

    def _say(self, line: Dict[str, Any]) -> None:
        if self._json is not None:
            _put("json", self._json, json.dumps(line, ensure_ascii=False, default=str) + "\n")

    def _write_github(self) -> None:
        sys.stdout.write(github.commands(self.run))
        path = os.environ.get("GITHUB_STEP_SUMMARY", "")
        if path:
            try:
                with open(path, "a", encoding="utf-8", errors="replace") as file:
                    file.write(github.summary(self.run))
            except OSError as error:
                raise UserError(f"cannot write the step's summary: {error}") from None


def _open(name: str, path: str) -> TextIO:
    if path == "-":
        return sys.stdout
    try:
        return open(path, "w", encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"--{name}: cannot write {path}: {error.strerror}") from None


def _put(name: str, stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"--{name}: cannot write {_name(stream)}: {error.strerror}") from None


def _finish(name: str, stream: TextIO) -> None:
    if stream is not sys.stdout:
        try:
            stream.close()
        except OSError as error:
            raise UserError(f"--{name}: cannot write {_name(stream)}: {error.strerror}") from None


def _name(stream: TextIO) -> str:
    return "standard output" if stream is sys.stdout else str(stream.name)


def started(command: List[str], strict: bool, host: Dict[str, str]) -> Run:
    """The record of a run that begins now."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Run(started=stamp, command=command, strict=strict, host=host)
