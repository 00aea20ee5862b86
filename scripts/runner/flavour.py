# SPDX-License-Identifier: BSD-2-Clause
"""Configurations of a hypervisor that a command line asks for, and their product."""

from __future__ import annotations

import argparse
import itertools
import re
from dataclasses import dataclass
from typing import List, Tuple

from .catalog import MACHINES

_CPU = re.compile(r"[\w.,+=:-]+")


@dataclass(frozen=True)
class Flavour:
    """What is chosen instead of what adapter and catalog say; empty words choose nothing."""

    cpu: str = ""
    machine: str = ""
    smp: int = 0

    @property
    def words(self) -> List[Tuple[str, str]]:
        pairs = (("cpu", self.cpu), ("machine", self.machine), ("smp", str(self.smp or "")))
        return [(key, value) for key, value in pairs if value]

    @property
    def suffix(self) -> str:
        """What is added to a hypervisor's name: `,cpu=max,-la57`."""
        return "".join(f",{key}={value}" for key, value in self.words)

    @property
    def options(self) -> List[str]:
        """How ./run is asked for it."""
        return [word for key, value in self.words for word in (f"--{key}", value)]


def product(own: argparse.Namespace) -> List[Flavour]:
    """Each with each, the last changing fastest; one that chooses nothing when nothing is asked."""
    found = itertools.product(own.cpu or [""], own.machine or [""], own.smp or [0])
    return list(dict.fromkeys(Flavour(*words) for words in found))


def cpu_model(text: str) -> str:
    """One model: its commas are its own, so more models take more --cpu."""
    if not _CPU.fullmatch(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no model of a processor")
    return text


def machine_words(text: str) -> List[str]:
    """Words of unittests.cfg with commas between them."""
    words = text.split(",")
    for word in words:
        if word not in MACHINES:
            raise argparse.ArgumentTypeError(f"'{word}' is not one of: {', '.join(MACHINES)}")
    return words


def smp_words(text: str) -> List[int]:
    """Numbers of processors with commas between them."""
    words = text.split(",")
    for word in words:
        if not (word.isdecimal() and word.isascii() and 0 < int(word) < 256):
            raise argparse.ArgumentTypeError(f"'{word}' is no number of processors")
    return [int(word) for word in words]
