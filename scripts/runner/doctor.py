# SPDX-License-Identifier: BSD-2-Clause
"""What there is to run on: every hypervisor in a line, and what each of them is missing here."""

from __future__ import annotations

from typing import Iterable, List

from .hypervisor import Adapter, version_of

UNPROVEN = "unproven"


def _title(adapter: Adapter) -> str:
    return f"{adapter.name} ({UNPROVEN})" if adapter.unproven else adapter.name


def listing(adapters: Iterable[Adapter]) -> List[str]:
    """For --list-hypervisors."""
    return [f"{_title(adapter)}: {adapter.description}" for adapter in adapters]


def examine(adapter: Adapter) -> List[str]:
    """A line with the verdict, then one for each thing that is missing."""
    reasons = list(adapter.reasons(auto=False))
    said = adapter.ask_version() if not reasons else ""
    version = version_of(said)
    if not reasons and adapter.unfit(said):
        reasons, version = [adapter.unfit(said)], ""
    verdict = "not here" if reasons else "usable"
    lines = [f"{verdict:8}  {_title(adapter)} {version}".rstrip()]
    lines += [f"          missing: {reason}" for reason in reasons]
    if reasons:
        return lines
    lines += [f"          remark: {remark}" for remark in adapter.remarks_here()]
    rare = [reason for reason in adapter.reasons(auto=True) if adapter.auto]
    lines += [f"          only when it is named: {reason}" for reason in rare]
    if adapter.unproven:
        lines.append(
            "          nobody has run it yet: docs/adding-a-hypervisor.md says what to try"
        )
    return lines
