# SPDX-License-Identifier: BSD-2-Clause
"""Which hypervisor runs which image, and why the others do not."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Dict, List, Sequence

from .catalog import Entry
from .errors import UserError
from .flavour import Flavour
from .hypervisor import Adapter, version_of


@dataclass
class Choice:
    """The usable hypervisors in the order of preference, and the reasons against the others."""

    auto: bool
    adapters: List[Adapter]  # as the tree has them
    sets: List[List[Adapter]] = field(default_factory=list)  # the same in each configuration
    refused: Dict[str, str] = field(default_factory=dict)
    said: Dict[str, str] = field(default_factory=dict)  # of their versions

    def flavour(self, flavours: Sequence[Flavour]) -> None:
        """Makes the configurations; one that nobody has is an error."""
        for flavour in flavours:
            refused = {a.name: a.refuses(flavour) for a in self.adapters}
            if all(refused.values()):
                raise _nobody(flavour, refused)
            if self.auto:
                fitting = [a for a in self.adapters if not refused[a.name]]
                self.sets.append([adapter.flavoured(flavour) for adapter in fitting])
        for adapter in [] if self.auto else self.adapters:
            self._flavour(adapter, flavours)

    def _flavour(self, adapter: Adapter, flavours: Sequence[Flavour]) -> None:
        """One that was named: it runs in all configurations that it has, and must have one.

        Without a choice of machines it runs once, as it is, whatever others run on.
        """
        if not adapter.chooses_machine:
            flavours = list(dict.fromkeys(replace(f, machine="") for f in flavours))
        refused = {f: adapter.refuses(f) for f in flavours}
        if all(refused.values()):
            raise _nobody(flavours[0], {adapter.name: refused[flavours[0]]})
        for flavour, reason in refused.items():
            if reason:
                self.refused[adapter.name + flavour.suffix] = reason
            else:
                self.sets.append([adapter.flavoured(flavour)])

    @staticmethod
    def candidates(adapters: Sequence[Adapter], entry: Entry) -> List[Adapter]:
        """Those that offer what the image needs; `--on auto` takes the first of them."""
        return [adapter for adapter in adapters if not adapter.lacks(entry)]

    def _ask(self, adapter: Adapter) -> str:
        """Asked once per run."""
        name = adapter.base or adapter.name
        if name not in self.said:
            self.said[name] = adapter.ask_version()
        return self.said[name]

    def version(self, adapter: Adapter) -> str:
        """As `7.2.22`, or empty."""
        return version_of(self._ask(adapter))

    def unfit(self, adapter: Adapter) -> str:
        """Why its version, or the program itself, will not do; asked only where it matters."""
        return adapter.unfit(self._ask(adapter)) if adapter.doubtful else ""

    def title(self, adapter: Adapter) -> str:
        title = f"{adapter.name} {self.version(adapter)}".rstrip()
        remarks = adapter.remarks_here()
        if adapter.unproven:
            remarks.append("unproven: written from its documents, and never run yet")
        return f"{title} ({'; '.join(remarks)})" if remarks else title

    def first_line(self, used: List[Adapter]) -> str:
        """Who runs the images, and why no one who would have come before."""
        line = "on " + ", ".join(self.title(adapter) for adapter in used)
        reasons = [f"{name}: {reason}" for name, reason in self.refused.items()]
        return f"{line} (not {'; not '.join(reasons)})" if reasons else line


def _nobody(flavour: Flavour, refused: Dict[str, str]) -> UserError:
    """What is to be said of a configuration that none of these has."""
    why = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
    return UserError(f"{' '.join(flavour.options)}: {why}")


def choose(
    wanted: str, adapters: Dict[str, Adapter], flavours: Sequence[Flavour] = (Flavour(),)
) -> Choice:
    """`auto`, or names with commas between them; empty asks the environment first."""
    wanted = wanted or _from_environment() or "auto"
    choice = _choose_auto(adapters) if wanted == "auto" else _choose_named(wanted, adapters)
    choice.flavour(flavours)
    return choice


def _choose_named(wanted: str, adapters: Dict[str, Adapter]) -> Choice:
    choice = Choice(False, [])
    for name in wanted.split(","):
        if name not in adapters:
            known = ", ".join(["auto", *adapters])
            raise UserError(f"unknown hypervisor '{name}' (known: {known})")
        adapter = adapters[name]
        reason = adapter.why_not(auto=False) or choice.unfit(adapter)
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
        reason = adapter.why_not(auto=True) or choice.unfit(adapter)
        if reason:
            choice.refused[adapter.name] = reason
        else:
            choice.adapters.append(adapter)
    if not choice.adapters:
        reasons = "; ".join(f"{name}: {why}" for name, why in choice.refused.items())
        raise UserError(f"no hypervisor can be used here ({reasons})")
    return choice
