# SPDX-License-Identifier: BSD-2-Clause
"""The results of a run as plain data: what every report is made of, and what JSON lines hold.

docs/json.md describes the lines, docs/results.schema.json says the same to a program.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, List, Optional, Type, TypeVar

from . import result as kinds
from .errors import UserError, at

FORMAT = "shadowbox-results"
VERSION = 1


@dataclass
class Case:
    """One case on one hypervisor. What is empty says nothing."""

    image: str
    hypervisor: str
    name: str
    verdict: str
    number: int = 0
    repeat: int = 0
    text: str = ""  # why it was skipped, or what went wrong
    need: str = ""  # the word of a skip's reason that a program can count
    checks: int = 0
    seconds: float = 0.0
    promise: str = ""
    manual: str = ""
    at: str = ""
    details: Dict[str, str] = field(default_factory=dict)
    known: str = ""  # why the failure is known
    reported: str = ""  # where it was reported
    was: str = ""  # what it would be if it were not known, or was before a retry
    attempts: int = 1
    description: str = ""  # the whole failure as people see it
    replay: str = ""
    log: str = ""

    @property
    def id(self) -> str:
        return f"{self.image}/{self.name}@{self.hypervisor}"


@dataclass
class Image:
    """One image on one hypervisor; `problems` are those of no single case."""

    image: str
    hypervisor: str
    verdict: str
    version: str = ""
    repeat: int = 0
    summary: str = ""
    planned: Optional[int] = None
    text: str = ""  # why it was left out
    need: str = ""
    problems: List[Dict[str, str]] = field(default_factory=list)
    counts: Dict[str, int] = field(default_factory=dict)
    checks: int = 0
    seconds: float = 0.0
    launches: int = 0
    facts: Dict[str, str] = field(default_factory=dict)
    notes: List[str] = field(default_factory=list)
    description: str = ""
    replay: str = ""
    log: str = ""
    consoles: Dict[str, str] = field(default_factory=dict)  # what failed there, the end of its log
    cases: List[Case] = field(default_factory=list)

    @property
    def name(self) -> str:
        suffix = f".{self.repeat}" if self.repeat else ""
        return f"{self.image}@{self.hypervisor}{suffix}"


@dataclass
class Run:
    """A whole run."""

    started: str = ""
    command: List[str] = field(default_factory=list)
    strict: bool = False
    host: Dict[str, str] = field(default_factory=dict)
    hypervisors: Dict[str, str] = field(default_factory=dict)
    hosts: Dict[str, Dict[str, str]] = field(default_factory=dict)  # of each, beyond `host`
    images: List[Image] = field(default_factory=list)
    status: Optional[int] = None
    seconds: float = 0.0

    def red(self, verdict: str) -> bool:
        """Does this verdict turn the run red?"""
        doubtful = (kinds.UNEXPECTED, kinds.MISMATCH, kinds.FLAKY)
        return verdict not in kinds.GREEN or (self.strict and verdict in doubtful)

    def bad(self, image: Image) -> bool:
        """An image that is not good, by a case or as a whole."""
        whole = (kinds.PASSED, *kinds.GREEN, "interrupted")
        return image.verdict not in whole or any(self.red(case.verdict) for case in image.cases)

    def counts(self) -> Dict[str, int]:
        return dict(Counter(case.verdict for image in self.images for case in image.cases))

    def verdict(self) -> int:
        """The exit status that these results mean, whoever ran them."""
        if self.status in (None, 2, 130) or any(map(self.bad, self.images)):
            return 1
        return 77 if set(self.counts()) <= {kinds.SKIPPED} else 0


def head_line(run: Run) -> Dict[str, Any]:
    """The first line of a file."""
    line: Dict[str, Any] = {"type": "run", "format": FORMAT, "version": VERSION}
    for key in ("started", "command", "strict", "host", "hypervisors"):
        line[key] = getattr(run, key)
    if run.hosts:
        line["hosts"] = run.hosts
    return line


def image_lines(image: Image) -> List[Dict[str, Any]]:
    """A line for each case, then one for the image."""
    lines = [{"type": "case", **_without_empty(case)} for case in image.cases]
    whole = _without_empty(image)
    whole.pop("cases", None)
    return [*lines, {"type": "image", **whole}]


def end_line(run: Run, counts: Dict[str, int]) -> Dict[str, Any]:
    """The last line; without it the run was cut off."""
    return {"type": "end", "counts": counts, "status": run.status, "seconds": run.seconds}


def _without_empty(record: Any) -> Dict[str, Any]:
    """What is as it would be by default need not be said."""
    always = ("image", "hypervisor", "name", "verdict", "checks", "seconds")
    data = asdict(record)
    for key in ("seconds",):
        data[key] = round(data[key], 4)
    return {key: value for key, value in data.items() if key in always or value not in _EMPTY}


_EMPTY: "tuple[Any, ...]" = ("", 0, None, [], {})

_Record = TypeVar("_Record", Case, Image, Run)


def _take(kind: Type[_Record], data: Dict[str, Any]) -> _Record:
    """Keys of later versions are ignored; a missing one that has no default is an error."""
    known = {f.name for f in fields(kind)}
    return kind(**{key: value for key, value in data.items() if key in known})


def load(path: Path) -> Run:
    """Reads JSON lines; a file that ends early is read as far as it goes."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    reader = _Reader(path)
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            reader.take(number, line)
    if reader.run is None:
        raise UserError(f"{path}: is empty")
    reader.cut_off()
    return reader.run


class _Reader:
    """Puts the lines of a file together again."""

    def __init__(self, path: Path) -> None:
        self.run: Optional[Run] = None
        self._path = path
        self._cases: List[Case] = []

    def take(self, number: int, line: str) -> None:
        try:
            data = json.loads(line)
            self._take(data)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise at(self._path, number, "is no line of results (see docs/json.md)") from None

    def _take(self, data: Dict[str, Any]) -> None:
        kind = data["type"]
        if kind == "run":
            if data["format"] != FORMAT or data["version"] > VERSION:
                raise UserError(f"{self._path}: is of version {data['version']}, not {VERSION}")
            self.run = _take(Run, data)
            return
        if self.run is None:
            raise ValueError("no first line")
        if kind == "case":
            self._cases.append(_take(Case, data))
        elif kind == "image":
            image = _take(Image, data)
            image.cases, self._cases = self._cases, []
            self.run.images.append(image)
        elif kind == "end":
            self.run.status, self.run.seconds = data["status"], data["seconds"]

    def cut_off(self) -> None:
        """Cases whose image never came to its line."""
        if self.run is not None and self._cases:
            first = self._cases[0]
            image = Image(first.image, first.hypervisor, kinds.CUT_OFF, cases=self._cases)
            self.run.images.append(image)
