# SPDX-License-Identifier: BSD-2-Clause
"""The bugs that images can play (docs/proving-the-suite.md), and cases that notice none."""

from __future__ import annotations

import fnmatch
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

from . import image, toml
from .errors import UserError

SECTION = ".sabotage"
PERMITTED = "permitted"  # the family of controls


@dataclass(frozen=True)
class Sabotage:
    """One way to misbehave."""

    name: str
    family: str
    bug: str  # of the list of known bugs; empty where there is none
    text: str

    @property
    def is_control(self) -> bool:
        """Permitted behaviour, on which no case may fail."""
        return self.family == PERMITTED


def of_image(path: Path) -> List[Sabotage]:
    """What the image in this file can play."""
    words = image.section_of(path, SECTION).decode("utf-8", "replace").split("\0")
    found = []
    for at, word in enumerate(words):
        if word == "@sabotage":
            if len(words) < at + 5:
                raise UserError(f"{path}: section {SECTION} is cut off")
            begin, end = at + 1, at + 5
            found.append(Sabotage(*words[begin:end]))
    return found


def of_images(paths: Sequence[Path]) -> Dict[str, Sabotage]:
    """All that any of them can play, by name."""
    found = {one.name: one for path in paths for one in of_image(path)}
    if not found:
        raise UserError("none of these images can play a bug")
    return found


def choose(known: Dict[str, Sabotage], only: Sequence[str], sample: int, seed: str) -> List[str]:
    """Names, in the order of the list: those that are asked for, and of them a sample."""
    names = list(known)
    for word in only:
        if not any(_means(word, one) for one in known.values()):
            raise UserError(f"--only: '{word}' is neither a sabotage nor a family")
    if only:
        names = [n for n in names if any(_means(word, known[n]) for word in only)]
    if not sample or sample >= len(names):
        return names
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    return [name for name in names if name in ranked[:sample]]


def _means(word: str, one: Sabotage) -> bool:
    return any(fnmatch.fnmatchcase(name, word) for name in (one.name, one.family))


@dataclass(frozen=True)
class Unproven:
    """Cases of which no sabotage shows that they can fail, and why that is."""

    case: str  # image/case, with wildcards
    reason: str


def load_unproven(path: Path) -> List[Unproven]:
    """The list; each entry has `case` and `reason`."""
    if not path.exists():
        return []
    document = toml.load(path)
    found = []
    for table in document.arrays.get("unproven", []):
        values = [table.values.get(key) for key in ("case", "reason")]
        texts = [value for value in values if isinstance(value, str) and value]
        if len(texts) != 2 or len(table.values) != 2 or texts[0].count("/") != 1:
            raise UserError(f"{path}:{table.line}: needs case = 'image/case' and reason, only")
        found.append(Unproven(*texts))
    return found
