# SPDX-License-Identifier: BSD-2-Clause
"""Which images and cases the words of a command line mean."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

from . import catalog, image
from .errors import UserError


@dataclass(frozen=True)
class Selected:
    """An image, with the globs that choose among its cases (none: all of them)."""

    entry: catalog.Entry
    image: image.Image
    globs: Tuple[str, ...]


def select(
    config: Path, names: Sequence[str], groups: Sequence[str], cases: Sequence[str]
) -> List[Selected]:
    """All images of the catalog, unless names, groups or cases ask for less."""
    entries = _entries(config, names, set(groups))
    selected = []
    for entry in entries:
        globs = _globs_for(entry.name, cases)
        if cases and not globs:
            continue
        loaded = image.load(entry.file)
        if not globs or not loaded.cases or loaded.select(globs):
            selected.append(Selected(entry, loaded, tuple(globs)))
    if not selected:
        raise UserError(f"no case matches {' or '.join(cases)}")
    return selected


def _entries(config: Path, names: Sequence[str], groups: "set[str]") -> List[catalog.Entry]:
    known = catalog.load(config) if config.exists() else []
    missing = groups - {group for entry in known for group in entry.groups}
    if missing:
        raise UserError(f"no image is in group '{sorted(missing)[0]}'")
    chosen = [e for name in names for e in _named(name, known)] if names else known
    if not chosen:
        raise UserError(f"{config}: lists no images")
    chosen = [entry for entry in chosen if not groups or groups & set(entry.groups)]
    if not chosen:
        raise UserError("none of the named images is in the group")
    if not names:
        # A compiler without 32-bit support leaves these images out.
        chosen = [entry for entry in chosen if entry.file.is_file() or "32bit" not in entry.needs]
    for entry in chosen:
        if entry.line:
            catalog.require_file(entry, config)
    return _without_repeats(chosen)


def _named(name: str, known: List[catalog.Entry]) -> List[catalog.Entry]:
    """An image by its file or by its name; a file that is not in the catalog will do."""
    path = Path(name)
    found = [entry for entry in known if entry.name == name]
    if not found and path.is_file():
        found = [entry for entry in known if entry.file.resolve() == path.resolve()]
        found = found or [catalog.Entry(path.name.split(".")[0] or path.name, path)]
    if not found:
        raise UserError(f"{name}: there is no such image")
    return found


def _without_repeats(entries: List[catalog.Entry]) -> List[catalog.Entry]:
    """Each image once; two different files may not share a name, since logs go by it."""
    unique: List[catalog.Entry] = []
    for entry in entries:
        same = [other for other in unique if other.name == entry.name]
        if not same:
            unique.append(entry)
        elif same[0].file.resolve() != entry.file.resolve():
            raise UserError(f"{same[0].file} and {entry.file} have the same name")
    return unique


def _globs_for(name: str, wanted: Sequence[str]) -> List[str]:
    """The case globs that concern an image: `case`, or `image/case`, perhaps with #NUMBER."""
    globs = []
    for glob in wanted:
        _, hash_sign, number = glob.partition("#")
        if hash_sign and not (number.isdecimal() and number.isascii()):
            raise UserError(f"{glob}: a number must follow #")
        before, slash, after = glob.rpartition("/")
        if not slash or fnmatch.fnmatchcase(name, before):
            globs.append(after)
    return globs
