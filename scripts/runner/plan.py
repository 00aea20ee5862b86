# SPDX-License-Identifier: BSD-2-Clause
"""From selected images to tasks; those that nobody here can run are left out, never forgotten."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import List, Optional, Tuple

from . import schedule, session
from . import result as kinds
from .choose import Choice
from .hypervisor import Adapter
from .result import ImageResult, Problem
from .selection import Selected
from .session import Job


@dataclass
class Plan:
    """What to run, and what not."""

    tasks: List[schedule.Task] = field(default_factory=list)
    left_out: List[Tuple[Job, ImageResult]] = field(default_factory=list)


def in_shard(name: str, shard: Optional[Tuple[int, int]]) -> bool:
    """By the name alone: what else there is moves no image to another part."""
    if shard is None:
        return True
    part, of = shard
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") % of == part - 1


def make(images: List[Selected], choice: Choice, shared: session.Options) -> Plan:
    """A task for each image, or, where hypervisors are named, for each image on each of them."""
    plan = Plan()
    for item in images:
        for adapters in choice.sets:
            _add(plan, item, adapters, choice, shared)
    return plan


def _add(
    plan: Plan, item: Selected, adapters: List[Adapter], choice: Choice, shared: session.Options
) -> None:
    """One image in one configuration."""
    fitting = choice.candidates(adapters, item.entry)
    for candidates in [fitting] if choice.auto else [[one] for one in fitting]:
        if candidates:
            plan.tasks.append(_task(item, candidates, choice, shared))
    if choice.auto and fitting:
        return
    for adapter in adapters:
        reason = adapter.lacks(item.entry)
        if reason:
            plan.left_out.append(_leave_out(_job(item, adapter, choice, shared), reason))


def _job(item: Selected, adapter: Adapter, choice: Choice, shared: session.Options) -> Job:
    entry = item.entry
    if adapter.flavour.smp:
        entry = replace(entry, cpus=adapter.flavour.smp)
    return Job(entry, item.image, adapter, choice.version(adapter), shared, item.globs)


def _task(
    item: Selected, candidates: List[Adapter], choice: Choice, shared: session.Options
) -> schedule.Task:
    return schedule.Task(lambda adapter: _job(item, adapter, choice, shared), candidates)


def _leave_out(job: Job, reason: str) -> Tuple[Job, ImageResult]:
    """A verdict without a launch."""
    result = ImageResult(job.entry.name, job.adapter.name, job.version, Path())
    result.planned, result.plan_reason = 0, reason
    if kinds.is_required(reason, job.options.require):
        result.problems.append(Problem(kinds.MISSING, reason))
    return job, result
