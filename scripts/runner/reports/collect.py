# SPDX-License-Identifier: BSD-2-Clause
"""From a verdict to its record."""

from __future__ import annotations

from pathlib import Path

from .. import result as kinds
from ..failure import describe_case, describe_problems, relative, replay
from ..record import Case, Image
from ..result import CaseResult, ImageResult, need_of
from ..session import Job

_QUIET = (kinds.PASSED, kinds.SKIPPED)
_LOG_KEPT = 32 * 1024  # bytes of a console, its end


def image_record(job: Job, result: ImageResult) -> Image:
    """One image with its cases."""
    record = Image(
        image=result.image,
        hypervisor=result.hypervisor,
        version=result.version,
        verdict=result.verdict,
        repeat=result.repeat,
        summary=job.image.summary or job.entry.summary,
        planned=result.planned,
        text=result.plan_reason,
        need=need_of(result.plan_reason),
        problems=[{"kind": p.kind, "text": p.text} for p in result.problems],
        checks=result.checks,
        seconds=result.seconds,
        launches=result.launches,
        facts=dict(result.facts),
        notes=list(result.notes),
        log=relative(result.folder),
    )
    for case in result.cases:
        record.cases.append(_case(job, result, case))
        record.counts[case.kind] = record.counts.get(case.kind, 0) + 1
    if result.problems:
        record.description = describe_problems(job, result, result.problems[0].kind.upper())
        record.replay = replay(job, result, None)
        _keep_console(record, str(Path(record.log) / "console.log"))
    for made in record.cases:
        if made.verdict not in kinds.GREEN:
            _keep_console(record, made.log)
    return record


def _keep_console(record: Image, path: str) -> None:
    """The end of a log that somebody will want to read, wherever the results are taken."""
    if not path or path in record.consoles:
        return
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LOG_KEPT))
            data = file.read()
    except (OSError, ValueError):
        return
    said = data.decode("utf-8", "replace").replace("\r\n", "\n")
    text = "".join(c if c.isprintable() or c == "\n" else "." for c in said)
    record.consoles[path] = "... " + text if size > _LOG_KEPT else text


def _case(job: Job, result: ImageResult, case: CaseResult) -> Case:
    record = Case(
        image=result.image,
        hypervisor=result.hypervisor,
        name=case.name,
        verdict=case.kind,
        number=case.number,
        repeat=result.repeat,
        text=case.text,
        checks=case.checks,
        seconds=case.seconds,
        attempts=case.attempts,
        was=case.was,
    )
    if case.known is not None:
        record.known, record.reported = case.known.reason, case.known.reported
    if case.kind in (kinds.SKIPPED, kinds.MISSING):
        record.need = need_of(case.text)
    about = next((c for c in job.image.cases if c.name == case.name), None)
    if about is not None:
        record.promise, record.manual = about.promise, about.manual
    if case.kind not in _QUIET:
        _describe(job, result, case, record)
        record.at = case.details.get("at", about.where if about else "")
    return record


def _describe(job: Job, result: ImageResult, case: CaseResult, record: Case) -> None:
    """What only a failure needs."""
    record.details = dict(case.details)
    record.description = describe_case(job, result, case, case.kind.upper())
    record.replay = replay(job, result, case)
    record.log = relative((case.folder or result.folder) / "console.log")
