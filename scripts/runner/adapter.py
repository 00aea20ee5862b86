# SPDX-License-Identifier: BSD-2-Clause
"""Reads adapter files, strictly: a word that is not understood is an error with file and line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from . import toml
from .catalog import MACHINES
from .errors import UserError, at
from .hypervisor import FOLDER, Adapter, Known, Offer, Remark, Requirement, Symptom
from .needs import unknown_words, vocabulary

_IMAGES = ("elf", "iso", "uefi", "bzimage", "rom")
_CONSOLES = ("stdout", "pty", "fifo")
_SYMPTOM_KINDS = ("crashed", "reset", "hung")
_SYMPTOM_PLACES = ("stderr", "log", "end")
_ARRAYS = ("file", "requires", "offers_if", "remark", "symptom", "known")
_VERSIONS = re.compile(r"\s*(?:[<>]=?|==?)\d+(?:\.\d+)*\s*")


class _Reader:
    """Takes keys out of a table, each with its type, and complains about what is left over."""

    def __init__(self, path: str, table: toml.Table) -> None:
        self.path = path
        self.table = table
        self.left = dict(table.values)

    def error(self, key: str, message: str) -> UserError:
        return at(self.path, self.table.lines.get(key, self.table.line) or 1, message)

    def _take(self, key: str, required: bool) -> Optional[toml.Value]:
        if key not in self.left and required:
            raise self.error(key, f"'{key}' is missing")
        return self.left.pop(key, None)

    def text(self, key: str, default: Optional[str] = None) -> str:
        value = self._take(key, default is None)
        if value is None:
            return default or ""
        if not isinstance(value, str):
            raise self.error(key, f"'{key}' must be a string")
        return value

    def choice(self, key: str, known: Tuple[str, ...], default: Optional[str] = None) -> str:
        value = self.text(key, default)
        if value not in known:
            raise self.error(key, f"'{key}' is '{value}', not one of: {', '.join(known)}")
        return value

    def strings(self, key: str, required: bool = False) -> List[str]:
        value = self._take(key, required)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(key, f"'{key}' must be an array of strings")
        return value

    def number(self, key: str, default: int) -> int:
        value = self._take(key, False)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.error(key, f"'{key}' must be a number, 0 or more")
        return value

    def flag(self, key: str) -> bool:
        value = self._take(key, False)
        if value is not None and not isinstance(value, bool):
            raise self.error(key, f"'{key}' must be true or false")
        return bool(value)

    def pattern(self, key: str) -> "re.Pattern[str]":
        text = self.text(key)
        try:
            return re.compile(text, re.MULTILINE)
        except re.error as error:
            raise self.error(key, f"'{key}' is no regular expression: {error}") from None

    def need(self, key: str, word: str) -> str:
        if unknown_words([word]):
            raise self.error(key, f"unknown need '{word}' (known: {vocabulary()})")
        return word

    def done(self) -> None:
        for key in self.left:
            raise self.error(key, f"unknown key '{key}'")


def load(path: Path) -> Adapter:
    """Reads one adapter; its name is the file's."""
    return read(toml.load(path), path.stem)


def load_known(path: Path) -> List[Known]:
    """Reads a list of known failures, which holds nothing else."""
    document = toml.load(path)
    for name in list(document.tables) + list(document.arrays):
        if name != "known":
            raise UserError(f"{path}: only [[known]] stands in such a file, not '{name}'")
    known: List[Known] = []
    _each(document, "known", lambda r: known.append(_read_known(r)))
    return known


def read(document: toml.Document, name: str) -> Adapter:
    """An adapter from a parsed file."""
    _check_headers(document)
    adapter = _read_top(_Reader(document.path, document.top), name)
    adapter.machines = _read_machines(document)
    _each(document, "file", lambda r: _read_file(r, adapter.files))
    _each(document, "requires", lambda r: adapter.requires.append(_read_requirement(r)))
    _each(document, "offers_if", lambda r: adapter.offers_if.append(_read_offer(r)))
    _each(document, "remark", lambda r: adapter.remarks.append(_read_remark(r)))
    for remark in adapter.remarks:
        adapter.time_scale *= remark.time_scale if remark.is_true() else 1
    _each(document, "symptom", lambda r: adapter.symptoms.append(_read_symptom(r)))
    _each(document, "known", lambda r: adapter.known.append(_read_known(r)))
    return adapter


def _check_headers(document: toml.Document) -> None:
    for name, table in document.tables.items():
        if name != "machines":
            raise at(document.path, table.line, f"unknown table [{name}]")
    for name, tables in document.arrays.items():
        if name not in _ARRAYS:
            raise at(document.path, tables[0].line, f"unknown table [[{name}]]")


def _each(document: toml.Document, name: str, use: Callable[[_Reader], None]) -> None:
    for table in document.arrays.get(name, []):
        reader = _Reader(document.path, table)
        use(reader)
        reader.done()


def _read_top(reader: _Reader, name: str) -> Adapter:
    adapter = Adapter(
        name=name,
        description=reader.text("description"),
        program=reader.text("program"),
        command=reader.strings("command", required=True),
        batch=reader.strings("batch"),
        path=reader.path,
        override=reader.text("override", ""),
        version=reader.strings("version"),
        says=reader.text("says", ""),
        auto=reader.number("auto", 0),
        unproven=reader.flag("unproven"),
        tentative=reader.flag("tentative"),
        no_kut=reader.text("no_kut", ""),
        busy=reader.text("busy", ""),
        watch_kernel=reader.flag("watch_kernel"),
        oldest=reader.text("oldest", ""),
        image=reader.choice("image", _IMAGES, "elf"),
        cpu=reader.text("cpu", ""),
        extra_memory=reader.number("extra_memory", 0),
        console=reader.choice("console", _CONSOLES, "stdout"),
        log=reader.text("log", ""),
        known_of=reader.text("known_of", ""),
        noise=reader.pattern("noise") if "noise" in reader.left else None,
        offers=[reader.need("offers", word) for word in reader.strings("offers")],
        time_scale=max(1, reader.number("time_scale", 1)),
        cleanup=reader.strings("cleanup"),
        gdb=reader.strings("gdb"),
        debugger=reader.strings("debugger"),
        monitor=reader.strings("monitor"),
    )
    reader.done()
    return adapter


def _read_machines(document: toml.Document) -> Dict[str, str]:
    table = document.tables.get("machines", toml.Table())
    reader = _Reader(document.path, table)
    for key in table.values:
        if key not in MACHINES:
            raise reader.error(key, f"unknown machine '{key}' (known: {', '.join(MACHINES)})")
    return {key: reader.text(key) for key in table.values}


def _read_file(reader: _Reader, files: Dict[str, str]) -> None:
    name = reader.text("name")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise reader.error("name", f"'{name}' is no plain file name")
    files[name] = "".join(line + "\n" for line in reader.strings("lines", required=True))


def _read_requirement(reader: _Reader) -> Requirement:
    pattern = reader.pattern("pattern") if "pattern" in reader.left else None
    command = tuple(reader.strings("command"))
    if command and pattern is None:
        raise reader.error("command", "'pattern' is missing, which the command's output contains")
    return Requirement(
        file=reader.text("file", "") if command else reader.text("file"),
        reason=reader.text("reason"),
        pattern=pattern,
        access=reader.choice("access", ("r", "rw"), "r"),
        auto_only=reader.flag("auto_only"),
        command=command,
    )


def _read_offer(reader: _Reader) -> Offer:
    need = reader.need("need", reader.text("need"))
    return Offer(need=need, file=reader.text("file"), pattern=reader.pattern("pattern"))


def _read_remark(reader: _Reader) -> Remark:
    scale = max(1, reader.number("time_scale", 1))
    return Remark(file=reader.text("file"), text=reader.text("text"), time_scale=scale)


def _read_symptom(reader: _Reader) -> Symptom:
    return Symptom(
        kind=reader.choice("kind", _SYMPTOM_KINDS),
        where=reader.choice("where", _SYMPTOM_PLACES),
        pattern=reader.pattern("pattern"),
        text=reader.text("text"),
    )


def _read_known(reader: _Reader) -> Known:
    case = reader.text("case")
    if case.count("/") != 1:
        raise reader.error("case", f"'{case}' is not of the form image/case")
    versions = reader.text("versions", "")
    if versions and not all(_VERSIONS.fullmatch(part) for part in re.split(",| or ", versions)):
        form = "'<8.0' or '>=7,<9 or >=10'"
        raise reader.error("versions", f"'{versions}' is not of the form {form}")
    message = reader.text("message", "")
    avoid, sometimes = reader.flag("avoid"), reader.flag("sometimes") or bool(message)
    if avoid and sometimes:
        raise reader.error("sometimes", "'sometimes' is for cases that are tried, not with 'avoid'")
    return Known(
        case=case,
        reason=reader.text("reason"),
        versions=versions,
        host_file=reader.text("host_file", ""),
        reported=reader.text("reported", ""),
        avoid=avoid,
        sometimes=sometimes,
        most_cpus=reader.number("most_cpus", 0),
        message=message,
    )


def load_all(folder: Path = FOLDER, more: Sequence[str] = ()) -> Dict[str, Adapter]:
    """All adapters of the tree and of `more` files, in the order of `--on auto`."""
    adapters = [load(path) for path in sorted(folder.glob("*.toml"))]
    taken = {adapter.name for adapter in adapters}
    for path in map(Path, more):
        if path.stem in taken:
            raise UserError(f"{path}: there is another hypervisor with the name {path.stem}")
        taken.add(path.stem)
        adapters.append(load(path))
    adapters.sort(key=lambda a: (a.auto == 0, a.auto, a.name))
    by_name = {adapter.name: adapter for adapter in adapters}
    for path in sorted((folder / "known").glob("*.toml")):
        if path.stem not in by_name:
            raise UserError(f"{path}: there is no adapter of this name")
        by_name[path.stem].known += load_known(path)
    for adapter in adapters:
        if adapter.known_of:
            if adapter.known_of not in by_name:
                raise UserError(f"{adapter.path}: known_of names no adapter: {adapter.known_of}")
            adapter.known += by_name[adapter.known_of].known
    return by_name
