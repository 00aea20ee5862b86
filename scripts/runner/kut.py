# SPDX-License-Identifier: BSD-2-Clause
"""--kut DIR: the images of a kvm-unit-tests tree, as its own unittests.cfg describes them.

Their file is read as lines and never evaluated. What it asks for and we cannot say for sure (other
commands in backquotes, conditions beyond a comparison) leaves the image out, with the reason.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from . import image
from .catalog import Entry, Foreign
from .errors import UserError
from .hypervisor import Adapter
from .selection import Selected

_TIMEOUT = 90  # seconds, as theirs
_SILENCE = 3600  # their guests may be mute for long
_DEVICES = ("-device", "pc-testdev", "-device", "pci-testdev")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_COMPARISON = re.compile(r'\[\[\s*"?\$\{?(\w+)\}?"?\s*(==|!=|=)\s*"?([\w.-]*)"?\s*\]\]')
Section = Dict[str, str]


def select(folder: Path, names: Sequence[str], groups: Sequence[str]) -> List[Selected]:
    """Images of the tree: those named, or all that run by default."""
    config = folder / "x86" / "unittests.cfg"
    try:
        sections = parse(config.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise UserError(f"{config}: {error.strerror}") from None
    for name in names:
        if name not in sections:
            raise UserError(f"{config}: has no [{name}]")
    selected = []
    for name, section in sections.items():
        words = section.get("groups", "").split()
        if names and name not in names or groups and not set(groups) & set(words):
            continue
        if "nodefault" in words and name not in names:
            continue
        entry = entry_of(name, section, folder)
        if not entry.file.is_file() and not names:
            continue  # not built for this machine
        selected.append(Selected(entry, image.load(entry.file), ()))
    if not selected:
        raise UserError(f"{config}: none of its images is there (built with make?)")
    return selected


def parse(text: str) -> Dict[str, Section]:
    """Sections of `key = value` lines; a value in three quotes may take several lines."""
    sections: Dict[str, Section] = {}
    section: Optional[Section] = None
    lines = iter(text.splitlines())
    for line in lines:
        line = line.strip()
        header = re.fullmatch(r"\[(.+)\]", line)
        if header:
            section = sections.setdefault(header.group(1), {})
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or line.startswith("#") or section is None:
            continue
        if value.startswith('"""'):
            value = _long(value[3:], lines)
        section["extra_params" if key == "qemu_params" else key] = value
    return sections


def _long(first: str, lines: Iterator[str]) -> str:
    """Up to the closing quotes; a backslash at the end of a line goes."""
    parts = []
    line: Optional[str] = first
    while line is not None:
        before, quotes, _ = line.partition('"""')
        parts.append(before.strip().rstrip("\\"))
        if quotes:
            break
        line = next(lines, None)
    return " ".join(parts).strip()


def entry_of(name: str, section: Section, folder: Path) -> Entry:
    """What our runner knows of an image, with the reason against running it, if there is one."""
    path = folder / "x86" / section.get("file", f"{name}.flat")
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    foreign = Foreign()
    entry = Entry(safe, path, machine="pc", needs=("pci",), silence=_SILENCE, foreign=foreign)
    entry.groups = tuple(section.get("groups", "").split())
    foreign.accel = section.get("accel", "")
    try:
        entry.cpus = _number(section.get("smp", "1"))
        entry.timeout = _seconds(section.get("timeout", str(_TIMEOUT)))
        params = _words(section.get("extra_params", ""))
        arguments = _words(section.get("test_args", ""))
    except ValueError as error:
        foreign.reason = f"needs understanding: {error}"
        return entry
    params, more = _without_append(params)
    entry.args, foreign.params = tuple(arguments + more), tuple(params)
    foreign.devices = _DEVICES
    foreign.reason = _against(section)
    return entry


def _against(section: Section) -> str:
    """Why this image does not run on this machine."""
    arch = section.get("arch", "x86_64")
    if arch != "x86_64":
        return f"needs {arch}: it is for this architecture only"
    for check in _words(section.get("check", "")):
        path, _, wanted = check.partition("=")
        try:
            found = Path(path).read_text(encoding="utf-8").strip()
        except OSError:
            found = "not there"
        if found != wanted:
            return f"needs host: {path} = {wanted}, and it is {found}"
    condition = section.get("disabled_if", "")
    if condition:
        match = _COMPARISON.fullmatch(condition.strip())
        if match is None:
            return f"needs understanding: disabled_if = {condition}"
        variable, sign, literal = match.groups()
        if (os.environ.get(variable, "") == literal) == (sign != "!="):
            return f"needs another_configuration: disabled_if = {condition}"
    return ""


def _words(text: str) -> List[str]:
    """Split as a shell would, without anything else that a shell does."""
    text = text.replace("`date +%s`", str(int(time.time())))
    text = re.sub(r"\$\{?MAX_SMP\}?", str(os.cpu_count() or 1), text)
    if "`" in text or "$" in text:
        raise ValueError(f"a shell's work stands in '{text}'")
    return shlex.split(text)


def _number(text: str) -> int:
    words = _words(text)
    if len(words) != 1 or not words[0].isdecimal():
        raise ValueError(f"'{text}' is no number of processors")
    return int(words[0])


def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d+)([smh]?)", text)
    if match is None:
        raise ValueError(f"'{text}' is no time")
    return int(match.group(1)) * _UNITS[match.group(2)]


def _without_append(params: List[str]) -> Tuple[List[str], List[str]]:
    """The guest's words may stand among those for QEMU."""
    rest, words = [], []
    at = 0
    while at < len(params):
        if params[at] == "-append" and at + 1 < len(params):
            words += params[at + 1].split()
            at += 2
        else:
            rest.append(params[at])
            at += 1
    return rest, words


def foreign_arguments(entry: Entry, adapter: Adapter, folder: Path) -> List[str]:
    """What QEMU is told beyond the adapter's own words; nothing for images of ours."""
    foreign = entry.foreign
    if foreign is None or not adapter.program.startswith("qemu-system-"):
        return []
    words = [*foreign.devices, *foreign.params]
    if adapter.image == "elf":
        module = folder / "environment"
        module.write_text(environment(), encoding="utf-8")
        words += ["-initrd", str(module)]
    return words


def cd_environment(entry: Entry, program: str) -> str:
    """The same for a guest on a CD; what QEMU's fw_cfg would say stands there elsewhere."""
    if entry.foreign is None:
        return ""
    if program.startswith("qemu-system-"):
        return environment()
    return f"{environment()}NR_CPUS={entry.cpus}\nMEMSIZE={entry.memory}\nTEST_DEVICE=0\n"


def environment() -> str:
    """Their environment module: what a guest may know of the host."""
    release = platform.release()
    numbers = (re.findall(r"\d+", release) + ["0"] * 3)[:3]
    lines = [f"KERNEL_VERSION_STRING={release}"]
    for key, value in zip(("VERSION", "PATCHLEVEL", "SUBLEVEL"), numbers):
        lines.append(f"KERNEL_{key}={value}")
    wanted = os.environ.get("KVM_UNIT_TESTS_ENV", "")
    if wanted:
        try:
            return Path(wanted).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{wanted} (from $KVM_UNIT_TESTS_ENV): {error.strerror}") from None
    return "\n".join(lines) + "\n"
