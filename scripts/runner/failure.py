# SPDX-License-Identifier: BSD-2-Clause
"""What a failure tells a reader who did not write the test."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import List, Optional

from .forensics import State
from .image import Case, symbolise
from .protocol import clean
from .result import CaseResult, ImageResult
from .session import Job

_WIDTH = 11
PROGRAM = "./run"  # how people start it
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+\b")
_NUMBER = re.compile(r"#[0-9]+")
# In this order; whatever else a block holds follows behind.
_FIRST = ("message", "combination", "access", "walk", "expected", "observed", "at", "manual")
_MOST_STDERR = 20


def _field(name: str, text: str) -> List[str]:
    """`name: text`, with further lines of the text below its first."""
    first, *rest = text.splitlines() or [""]
    lines = [f"  {(name + ':').ljust(_WIDTH)} {first}"]
    return lines + [" " * (_WIDTH + 3) + line for line in rest]


def relative(path: Path) -> str:
    """Shorter, when the path lies below the current folder."""
    text = os.path.relpath(path)
    return str(path) if text.startswith("..") else text


def _backtrace(path: Path, text: str) -> List[str]:
    addresses = [int(word, 16) for word in _ADDRESS.findall(text)]
    frames = symbolise(path, addresses)
    if not frames:
        return [text] if text else []
    root = os.getcwd() + os.sep
    return [
        f"{frame.address:#x} {frame.function}  {frame.where.replace(root, '')}" for frame in frames
    ]


def _exceptions(path: Path, lines: List[str]) -> List[str]:
    """An unexpected exception: its line, then its frames with names."""
    shown: List[str] = []
    for line in lines:
        if line.startswith("  at "):
            shown += ["  " + frame for frame in _backtrace(path, line)]
        else:
            shown.append(line)
    return shown


def _combination(case: CaseResult) -> str:
    """The #NUMBER of the combination that failed first; it is tried alone then."""
    match = _NUMBER.match(case.details.get("combination", ""))
    return match.group() if match else ""


def _on(job: Job) -> List[str]:
    """The hypervisor in its configuration."""
    adapter = job.adapter
    files = [word for file in job.options.files for word in ("--hypervisor-file", file)]
    return [*files, "--on", adapter.base or adapter.name, *adapter.flavour.options]


def replay(job: Job, result: ImageResult, case: Optional[CaseResult]) -> str:
    """The command that runs just this again."""
    words = [PROGRAM, relative(job.entry.file) if PROGRAM == "./run" else job.entry.name]
    if job.entry.foreign is not None:
        folder = relative(job.entry.file.parent.parent)
        return shlex.join([PROGRAM, "--kut", folder, job.entry.name, *_on(job)])
    if case is not None:
        words += ["--case", case.name + _combination(case)]
    words += _on(job)
    seed = job.options.seed or result.facts.get("seed", "")
    if job.options.seed or seed not in ("", "1", "0x1"):
        words += ["--seed", seed]
    if job.options.extra:
        words += ["--", *job.options.extra]
    return shlex.join(words)


def _machine(path: Path, state: State) -> List[str]:
    """Where a machine was when it had to be stopped; the log folder has all of it."""
    if not state.lines:
        return []
    lines = [*state.lines]
    for title, addresses in (("on the way", state.visited), ("called from", state.frames)):
        frames = _backtrace(path, " ".join(f"{address:#x}" for address in addresses))
        known = [frame for frame in frames if " ??" not in frame]
        lines += [f"{title}:", *("  " + frame for frame in known)] if known else []
    return _field("machine", "\n".join([*lines, "all of it: machine.log beside the log"]))


def _description(job: Job, name: str) -> Case:
    found = [case for case in job.image.cases if case.name == name]
    return found[0] if found else Case(name)


def _stderr(text: str) -> List[str]:
    lines = text.splitlines()
    if not lines:
        return []
    shown = [clean(line.encode()) for line in lines[:_MOST_STDERR]]
    more = len(lines) - len(shown)
    return _field("stderr", "\n".join(shown + ([f"... {more} more lines"] if more else [])))


def describe_case(job: Job, result: ImageResult, case: CaseResult, head: str) -> str:
    """The whole block for one case; `head` is its kind, possibly coloured."""
    about = _description(job, case.name)
    details = dict(case.details)
    details.setdefault("message", case.text)
    details.setdefault("manual", about.manual)
    details.setdefault("at", about.where)
    backtrace = details.pop("backtrace", "")
    on = f"{result.hypervisor} {result.version}".rstrip()
    lines = [f"{head} {result.image}/{case.name} on {on}"]
    lines += _field("promise", about.promise) if about.promise else []
    for key in [*_FIRST, *(k for k in details if k not in _FIRST)]:
        if details.get(key):
            lines += _field(key, details[key])
    frames = _backtrace(job.entry.file, backtrace)
    lines += _field("backtrace", "\n".join(frames)) if frames else []
    exceptions = _exceptions(job.entry.file, case.exceptions)
    lines += _field("exception", "\n".join(exceptions)) if exceptions else []
    lines += _machine(job.entry.file, case.state)
    lines += _stderr(case.stderr)
    lines += _field("replay", replay(job, result, case))
    lines += _field("log", relative((case.folder or result.folder) / "console.log"))
    return "\n".join(lines)


def describe_problems(job: Job, result: ImageResult, head: str) -> str:
    """The block for an image that failed as a whole."""
    on = f"{result.hypervisor} {result.version}".rstrip()
    lines = [f"{head} {result.image} on {on}"]
    for problem in result.problems[:_MOST_STDERR]:
        lines += _field(problem.kind, problem.text)
    lines += _machine(job.entry.file, result.state)
    lines += _stderr(result.stderr)
    lines += _field("replay", replay(job, result, None))
    lines += _field("log", relative(result.folder / "console.log"))
    return "\n".join(lines)
