# SPDX-License-Identifier: BSD-2-Clause
"""unittests.cfg: which images there are, and what each of them asks for.

The file is a strict INI: a section for each image, `key = value` lines, comments with # or ; at the
start of a line. What is not understood is an error with file and line, never ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from .errors import UserError, at
from .needs import unknown_words, vocabulary

MACHINES = ("any", "microvm", "pc", "q35")
# Seconds before the hypervisor's time scale. Silence is shorter: a live image says something.
DEFAULT_TIMEOUT = 120
DEFAULT_SILENCE = 20


@dataclass
class Foreign:
    """What an image of another suite asks for beyond the keys of ours (--kut)."""

    params: Tuple[str, ...] = ()  # arguments for QEMU
    devices: Tuple[str, ...] = ()  # those that only QEMU has, and that can be missed elsewhere
    accel: str = ""
    reason: str = ""  # why it cannot run here

    def lacks(self, program: str, command: Sequence[str]) -> str:
        """What a hypervisor with this program and command cannot do for it."""
        if self.reason:
            return self.reason
        qemu = program.startswith("qemu-system-")
        if self.params and not qemu:
            return f"needs qemu: {' '.join(self.params)}"
        if self.accel and not (qemu and self.accel in command):
            return f"needs accel: {self.accel} only"
        return ""


@dataclass
class Entry:
    """One image of the suite."""

    name: str
    file: Path
    summary: str = ""
    needs: Tuple[str, ...] = ()
    cpus: int = 1
    guests: int = 1  # that are to run at once
    memory: int = 256  # MiB
    machine: str = "any"
    args: Tuple[str, ...] = ()
    groups: Tuple[str, ...] = ()
    timeout: int = DEFAULT_TIMEOUT
    silence: int = DEFAULT_SILENCE
    foreign: Optional[Foreign] = None
    line: int = 0
    set_at: Dict[str, int] = field(default_factory=dict)  # key -> line


class _Section:
    """Conversions from text to what an Entry holds; each complains with the line of the key."""

    def __init__(self, path: Path, root: Path, entry: Entry) -> None:
        self.path = path
        self.root = root
        self.entry = entry

    def set(self, key: str, value: str, line: int) -> None:
        setter = _KEYS.get(key)
        if setter is None:
            known = ", ".join(sorted(_KEYS))
            raise at(self.path, line, f"unknown key '{key}' (known: {known})")
        if key in self.entry.set_at:
            raise at(self.path, line, f"'{key}' is set twice in [{self.entry.name}]")
        if not value:
            raise at(self.path, line, f"'{key}' has no value")
        self.entry.set_at[key] = line
        setter(self, value, line)

    def file(self, value: str, _line: int) -> None:
        self.entry.file = self.root / value

    def summary(self, value: str, _line: int) -> None:
        self.entry.summary = value

    def needs(self, value: str, line: int) -> None:
        unknown = unknown_words(value.split())
        if unknown:
            raise at(self.path, line, f"unknown need '{unknown[0]}' (known: {vocabulary()})")
        self.entry.needs = tuple(value.split())

    def machine(self, value: str, line: int) -> None:
        if value not in MACHINES:
            raise at(self.path, line, f"unknown machine '{value}' (known: {', '.join(MACHINES)})")
        self.entry.machine = value

    def args(self, value: str, _line: int) -> None:
        self.entry.args = tuple(value.split())

    def groups(self, value: str, _line: int) -> None:
        self.entry.groups = tuple(value.split())

    def number(self, value: str, line: int, low: int, high: int) -> int:
        if not value.isdecimal() or not value.isascii() or not low <= int(value) <= high:
            raise at(self.path, line, f"expected a number from {low} to {high}, found '{value}'")
        return int(value)

    def cpus(self, value: str, line: int) -> None:
        self.entry.cpus = self.number(value, line, 1, 255)

    def guests(self, value: str, line: int) -> None:
        self.entry.guests = self.number(value, line, 1, 8)

    def memory(self, value: str, line: int) -> None:
        self.entry.memory = self.number(value, line, 1, 1 << 20)

    def timeout(self, value: str, line: int) -> None:
        self.entry.timeout = self.number(value, line, 1, 86400)

    def silence(self, value: str, line: int) -> None:
        self.entry.silence = self.number(value, line, 1, 86400)


_KEYS: Dict[str, Callable[[_Section, str, int], None]] = {
    "file": _Section.file,
    "summary": _Section.summary,
    "needs": _Section.needs,
    "cpus": _Section.cpus,
    "guests": _Section.guests,
    "memory": _Section.memory,
    "machine": _Section.machine,
    "args": _Section.args,
    "groups": _Section.groups,
    "timeout": _Section.timeout,
    "silence": _Section.silence,
}


def load(path: Path) -> List[Entry]:
    """Reads the file; images lie relative to its folder."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    return parse(text, path)


def parse(text: str, path: Path) -> List[Entry]:
    """The sections of the text, in their order."""
    entries: Dict[str, Entry] = {}
    section: Optional[_Section] = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            entry = _header(line, number, path)
            if entry.name in entries:
                first = entries[entry.name].line
                raise at(path, number, f"[{entry.name}] is already defined in line {first}")
            entries[entry.name] = entry
            section = _Section(path, path.parent, entry)
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise at(path, number, "expected '[image]' or 'key = value'")
        if section is None:
            raise at(path, number, "a key before the first '[image]'")
        section.set(key.strip(), value.strip(), number)
    for entry in entries.values():
        _imply(entry)
    return list(entries.values())


def _header(line: str, number: int, path: Path) -> Entry:
    name = line[1:-1].strip()
    if not line.endswith("]") or not name.replace("_", "").replace("-", "").isalnum():
        raise at(path, number, "expected '[image]' with letters, digits, '_' and '-'")
    return Entry(name, path.parent / "x86" / f"{name}.flat", line=number)


def _imply(entry: Entry) -> None:
    """Needs that follow from other keys, so that nobody has to say them twice."""
    implied = []
    if entry.cpus > 1:
        implied.append("cpus")
    if entry.guests > 1:
        implied.append("guests")
    if entry.machine in ("pc", "q35"):
        implied.append("pci")
    entry.needs += tuple(word for word in implied if word not in entry.needs)


def require_file(entry: Entry, config: Path) -> None:
    """Complains about an image that is not there: it was named wrongly, or not built."""
    if not entry.file.is_file():
        line = entry.set_at.get("file", entry.line)
        raise at(config, line, f"[{entry.name}]: {entry.file} is missing (built with 'make'?)")
