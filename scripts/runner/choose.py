# SPDX-License-Identifier: BSD-2-Clause
"""Which hypervisor runs which image, and why the others do not."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Dict, List

from .catalog import Entry
from .errors import UserError
from .hypervisor import Adapter


@dataclass
class Choice:
    """The usable hypervisors in the order of preference, and the reasons against the others."""

    auto: bool
    adapters: List[Adapter]
    refused: Dict[str, str] = field(default_factory=dict)
    versions: Dict[str, str] = field(default_factory=dict)

    def candidates(self, entry: Entry) -> List[Adapter]:
        """Those that offer what the image needs; `--on auto` takes the first of them."""
        return [adapter for adapter in self.adapters if not adapter.lacks(entry)]

    def version(self, adapter: Adapter) -> str:
        """Asked once per run."""
        if adapter.name not in self.versions:
            self.versions[adapter.name] = adapter.ask_version()
        return self.versions[adapter.name]

    def too_old(self, adapter: Adapter) -> str:
        """Why its version will not do; asked only where it matters."""
        return adapter.too_old(self.version(adapter)) if adapter.oldest else ""

    def title(self, adapter: Adapter) -> str:
        title = f"{adapter.name} {self.version(adapter)}".rstrip()
        remarks = adapter.remarks_here()
        return f"{title} ({'; '.join(remarks)})" if remarks else title

    def first_line(self, used: List[Adapter]) -> str:
        """Who runs the images, and why no one who would have come before."""
        line = "on " + ", ".join(self.title(adapter) for adapter in used)
        reasons = [f"{name}: {reason}" for name, reason in self.refused.items()]
        return f"{line} (not {'; not '.join(reasons)})" if reasons else line


def choose(wanted: str, adapters: Dict[str, Adapter]) -> Choice:
    """`auto`, or names with commas between them; empty asks the environment first."""
    wanted = wanted or _from_environment() or "auto"
    if wanted == "auto":
        return _choose_auto(adapters)
    choice = Choice(False, [])
    for name in wanted.split(","):
        if name not in adapters:
            known = ", ".join(["auto", *adapters])
            raise UserError(f"unknown hypervisor '{name}' (known: {known})")
        adapter = adapters[name]
        reason = adapter.why_not(auto=False) or choice.too_old(adapter)
        if reason:
            raise UserError(f"{name} cannot be used here: {reason}")
        if adapter not in choice.adapters:
            choice.adapters.append(adapter)
    return choice


def _from_environment() -> str:
    """ACCEL means what it means to people who know kvm-unit-tests."""
    accel = os.environ.get("ACCEL", "")
    if accel and accel not in ("kvm", "tcg"):
        raise UserError(f"ACCEL is '{accel}', not kvm or tcg")
    return f"qemu-{accel}" if accel else ""


def _choose_auto(adapters: Dict[str, Adapter]) -> Choice:
    choice = Choice(True, [])
    for adapter in adapters.values():
        if not adapter.auto:
            continue
        reason = adapter.why_not(auto=True) or choice.too_old(adapter)
        if reason:
            choice.refused[adapter.name] = reason
        else:
            choice.adapters.append(adapter)
    if not choice.adapters:
        reasons = "; ".join(f"{name}: {why}" for name, why in choice.refused.items())
        raise UserError(f"no hypervisor can be used here ({reasons})")
    return choice
