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
from typing import Any, Dict, Optional

from .errors import UserError
from .result import CaseResult, ImageResult, Problem
from .session import Job


@lru_cache(maxsize=None)
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key(job: Job) -> str:
    """All that the outcome depends on."""
    options = job.options
    what = [_digest(job.entry.file), job.version, job.adapter.name, job.words(), options.extra]
    known = [name for name in job.selected() if job.is_known(name)]
    text = json.dumps([what, job.entry.cpus, job.entry.guests, known, options.first])
    return hashlib.sha256(text.encode()).hexdigest()


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
                continue  # the last line of a run that was killed

    def recall(self, job: Job) -> Optional[ImageResult]:
        """What this launch showed before."""
        found = self._kept.get(_key(job)) if self._path else None
        if found is None:
            return None
        result = ImageResult(job.entry.name, job.adapter.name, job.version, Path())
        result.planned, result.launches = found["planned"], found["launches"]
        result.problems = [Problem(*problem) for problem in found["problems"]]
        for number, name, kind, text, asked, after in found["cases"]:
            case = CaseResult(number, name, kind, text)
            case.asked, case.after = asked, (after[0], after[1])
            result.cases.append(case)
        return result

    def keep(self, job: Job, result: ImageResult) -> None:
        """Adds a line."""
        if self._path is None or result.interrupted:
            return
        cases = [(c.number, c.name, c.kind, c.text, c.asked, c.after) for c in result.cases]
        line = {
            "key": _key(job),
            "job": job.name,
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
