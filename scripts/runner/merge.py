# SPDX-License-Identifier: BSD-2-Clause
"""Results of several runs as those of one: shards of a farm, hypervisors on different machines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Sequence, Set, Tuple

from . import record
from .errors import UserError
from .record import Run

_SHARD = re.compile(r"([0-9]+)/([0-9]+)")
_LABEL = re.compile(r"[\w.+-]+")


def load(words: Sequence[str]) -> List[Tuple[str, Run]]:
    """FILE, or LABEL=FILE, whose hypervisors are then called NAME,run=LABEL; each with its file."""
    loaded = []
    for word in words:
        label, equals, name = word.partition("=")
        if not equals or Path(word).exists() or not _LABEL.fullmatch(label):
            loaded.append((word, record.load(Path(word))))
            continue
        run = record.load(Path(name))
        _rename(run, f",run={label}")
        loaded.append((name, run))
    return loaded


def _rename(run: Run, suffix: str) -> None:
    run.hypervisors = {name + suffix: text for name, text in run.hypervisors.items()}
    run.hosts = {name + suffix: host for name, host in run.hosts.items()}
    for image in run.images:
        image.hypervisor += suffix
        for case in image.cases:
            case.hypervisor = image.hypervisor


def merge(loaded: Sequence[Tuple[str, Run]]) -> Run:
    """One run of all. The same image on the same hypervisor twice is an error."""
    runs = [run for _, run in loaded]
    merged = Run(
        started=min(run.started for run in runs),
        command=runs[0].command if len(runs) == 1 else [],
        strict=any(run.strict for run in runs),
        seconds=sum(run.seconds for run in runs),
    )
    _take_images(merged, loaded)
    _take_hosts(merged, runs)
    if all(run.status is not None for run in runs):
        merged.status = 0
        merged.status = merged.verdict()
    return merged


def _take_images(merged: Run, loaded: Sequence[Tuple[str, Run]]) -> None:
    came_from: Dict[str, str] = {}
    for file, run in loaded:
        for image in run.images:
            first = came_from.setdefault(image.name, file)
            if first != file:
                raise UserError(
                    f"{image.name} is in {first} and in {file}: LABEL={file} keeps them apart"
                )
            merged.images.append(image)


def _take_hosts(merged: Run, runs: Sequence[Run]) -> None:
    """What all have in common is the run's, the rest is said for each hypervisor."""
    found: Dict[str, Dict[str, List[str]]] = {}
    versions: Dict[str, List[str]] = {}
    for run in runs:
        for name in dict.fromkeys([*run.hypervisors, *(i.hypervisor for i in run.images)]):
            versions.setdefault(name, []).append(run.hypervisors.get(name, ""))
            for key, value in {**run.host, **run.hosts.get(name, {})}.items():
                found.setdefault(name, {}).setdefault(key, []).append(value)
    merged.hypervisors = {name: _either(values) for name, values in versions.items()}
    hosts = {n: {k: _either(v) for k, v in host.items()} for n, host in found.items()}
    everywhere = list(hosts.values())
    first = everywhere[0] if everywhere else {}
    merged.host = {k: v for k, v in first.items() if all(h.get(k) == v for h in everywhere)}
    own = {n: {k: v for k, v in h.items() if k not in merged.host} for n, h in hosts.items()}
    merged.hosts = {name: host for name, host in own.items() if host}


def _either(values: List[str]) -> str:
    return " or ".join(dict.fromkeys(value for value in values if value))


def doubts(loaded: Sequence[Tuple[str, Run]]) -> List[str]:
    """Why these may not be all results: runs that were cut off, parts that are missing."""
    lines = []
    seen: Dict[Tuple[str, int], Set[int]] = {}
    for file, run in loaded:
        if run.status is None:
            lines.append(f"{file} was cut off: it has no last line")
        elif run.status in (2, 130):
            word = "could launch nothing" if run.status == 2 else "was interrupted"
            lines.append(f"{file}: this run {word}")
        part, of, rest = _shard(run.command)
        if of:
            seen.setdefault((rest, of), set()).add(part)
    for (rest, of), parts in seen.items():
        missing = [f"{n}/{of}" for n in range(1, of + 1) if n not in parts]
        if missing:
            lines.append(f"shards of '{rest}' that are missing: {', '.join(missing)}")
    return lines


def _shard(command: List[str]) -> Tuple[int, int, str]:
    """Which part of how many a command ran, and the command without what differs between parts."""
    part, of = 0, 0
    rest: List[str] = []
    before = ""
    for word in command:
        name, _, value = word.partition("=")
        option, text = (before, word) if before else (name, value)
        before = ""
        if option in _OF_ONE_PART and not text:
            before = option
        elif option == "--shard":
            match = _SHARD.fullmatch(text)
            part, of = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
        elif option not in _OF_ONE_PART:
            rest.append(word)
    return part, of, " ".join(rest)


# Options whose values are each part's own.
_OF_ONE_PART = ("--shard", "--json", "--html", "--junit", "--tap", "--ktap")
