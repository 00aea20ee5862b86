# SPDX-License-Identifier: BSD-2-Clause
"""What launches under bugs showed, in a file: one that was interrupted goes on where it was.

A line for each launch, as JSON. It holds as long as the image's file and the hypervisor are the
same, so that after a change of one test only its image runs anew.
"""

from __future__ import annotations

import hashlib
import json
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from .errors import UserError
from .result import CaseResult, ImageResult, Problem
from .session import Job


@lru_cache(maxsize=None)
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


forget_digests = _digest.cache_clear  # of files that have changed since


def _key(job: Job) -> str:
    """All that the outcome depends on."""
    options = job.options
    what = [_digest(job.entry.file), job.version, job.adapter.name, job.words(), options.extra]
    known = [name for name in job.selected() if job.known(name) is not None]
    text = json.dumps([what, job.entry.cpus, job.entry.guests, known, options.first])
    return hashlib.sha256(text.encode()).hexdigest()


def _result(found: Dict[str, Any], image: str, hypervisor: str, version: str) -> ImageResult:
    result = ImageResult(image, hypervisor, version, Path())
    result.planned, result.launches = found["planned"], found["launches"]
    result.problems = [Problem(*problem) for problem in found["problems"]]
    for number, name, kind, text, asked, after in found["cases"]:
        case = CaseResult(number, name, kind, text)
        case.asked, case.after = asked, (after[0], after[1])
        result.cases.append(case)
    return result


def read_all(path: Path, files: Dict[str, Path]) -> List[Tuple[str, ImageResult]]:
    """What launches of these images, as they are now, showed: each with its bug, or ""."""
    came = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    for line in lines:
        try:
            found = json.loads(line)
            image, words = found["image"], (found["hypervisor"], found["version"])
            if image in files and found["file"] == _digest(files[image]):
                came.append((str(found["bug"]), _result(found, image, *words)))
        except (ValueError, KeyError, TypeError):
            continue  # a run that was killed left half a line
    return came


class KeptRuns:
    """An empty path keeps nothing."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._kept: Dict[str, Dict[str, Any]] = {}
        self._lock = threading.Lock()
        if self._path is None or not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                found = json.loads(line)
                self._kept[found["key"]] = found
            except (ValueError, KeyError, TypeError):
                continue  # as above

    def recall(self, job: Job) -> Optional[ImageResult]:
        """What this launch showed before."""
        found = self._kept.get(_key(job)) if self._path else None
        if found is None:
            return None
        return _result(found, job.entry.name, job.adapter.name, job.version)

    def keep(self, job: Job, result: ImageResult) -> None:
        """Adds a line."""
        if self._path is None or result.interrupted:
            return
        cases = [(c.number, c.name, c.kind, c.text, c.asked, c.after) for c in result.cases]
        line = {
            "key": _key(job),
            "job": job.name,
            "image": job.entry.name,
            "file": _digest(job.entry.file),
            "hypervisor": job.adapter.name,
            "version": job.version,
            "bug": job.options.sabotage,
            "planned": result.planned,
            "launches": result.launches,
            "problems": [(problem.kind, problem.text) for problem in result.problems],
            "cases": cases,
        }
        try:
            with self._lock, self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error.strerror}") from None
