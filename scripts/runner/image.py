# SPDX-License-Identifier: BSD-2-Clause
"""What a guest image says about itself without being booted: its cases, and where addresses lie."""

from __future__ import annotations

import fnmatch
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from .errors import UserError

SECTION = ".shadowbox"


@dataclass(frozen=True)
class Case:
    """One case as its image describes it."""

    name: str
    promise: str = ""
    manual: str = ""
    needs: Tuple[str, ...] = ()
    where: str = ""


@dataclass
class Image:
    """The file of an image."""

    path: Path
    name: str = ""
    summary: str = ""
    entry: int = 0
    cases: List[Case] = field(default_factory=list)

    def select(self, globs: Sequence[str]) -> List[Case]:
        """The cases that match any of the globs, in the order of the plan; all without globs.

        A glob may end in #NUMBER, which picks one combination of a case.
        """
        if not globs:
            return list(self.cases)
        names = [glob.partition("#")[0] for glob in globs]
        return [c for c in self.cases if any(fnmatch.fnmatchcase(c.name, n) for n in names)]


def load(path: Path) -> Image:
    """Reads an image; anything that is no ELF file for x86 is a clear error."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    image = Image(path)
    try:
        image.entry, section = _read_elf(data, SECTION)
        _read_cases(image, section or b"")
    except (struct.error, ValueError, IndexError, OverflowError):
        raise UserError(f"{path}: is no ELF image, or a broken one") from None
    return image


def section_of(path: Path, name: str) -> bytes:
    """What a section of an image's file holds; empty where there is none."""
    try:
        return _read_elf(path.read_bytes(), name)[1] or b""
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (struct.error, ValueError, IndexError, OverflowError):
        raise UserError(f"{path}: is no ELF image, or a broken one") from None


def symbols(path: Path) -> Dict[str, int]:
    """Names and addresses of what lies in the guest's memory, as an ELF64 file lists them."""
    data = path.read_bytes()
    entry, table = _read_elf(data, ".symtab")
    strings = _read_elf(data, ".strtab")[1] or b""
    found = {}
    for at in range(0, len(table or b"") if data[4] == 2 else 0, 24):
        name, kind, section, value = struct.unpack_from("<IBxHQ", table or b"", at)
        # No files and sections, no constants; sections that are not loaded begin at 0.
        if name and kind & 0xF < 3 and 0 < section < 0xFF00 and value >= entry & ~0xFFF:
            found[_string(strings, name)] = value
    return found


def _read_elf(data: bytes, wanted: str) -> Tuple[int, Optional[bytes]]:
    """The entry point and the section of this name."""
    if data[:4] != b"\x7fELF" or data[5] != 1:
        raise ValueError("no little-endian ELF file")
    wide = data[4] == 2
    machine, _, entry = struct.unpack_from("<HIQ" if wide else "<HII", data, 18)
    if machine not in (3, 62):
        raise ValueError("not for x86")
    table, size, count, names = _section_table(data, wide)
    offset, length = _section(data, wide, table + names * size)[1:] if count else (0, 0)
    strings = _cut(data, offset, length)
    for index in range(count):
        name, offset, length = _section(data, wide, table + index * size)
        if _string(strings, name) == wanted:
            if offset + length > len(data):
                raise ValueError("the section lies outside of the file")
            return entry, _cut(data, offset, length)
    return entry, None


def _cut(data: bytes, offset: int, length: int) -> bytes:
    end = offset + length
    return data[offset:end]


def _section_table(data: bytes, wide: bool) -> Tuple[int, int, int, int]:
    """Where the section headers lie: offset, size of one, number, index of the names."""
    (offset,) = struct.unpack_from("<Q" if wide else "<I", data, 0x28 if wide else 0x20)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A if wide else 0x2E)
    return offset, size, count, names


def _section(data: bytes, wide: bool, at: int) -> Tuple[int, int, int]:
    """Name, offset and length of one section."""
    name = struct.unpack_from("<I", data, at)[0]
    if wide:
        offset, length = struct.unpack_from("<QQ", data, at + 24)
    else:
        offset, length = struct.unpack_from("<II", data, at + 16)
    return name, offset, length


def _string(strings: bytes, at: int) -> str:
    end = strings.index(b"\0", at)
    return strings[at:end].decode("utf-8", "replace")


def _read_cases(image: Image, section: bytes) -> None:
    """Records of NUL-terminated strings, possibly with more NULs between the records."""
    words = section.decode("utf-8", "replace").split("\0")
    at = 0
    while at < len(words):
        if words[at] == "@image":
            _, image.name, image.summary, *_ = words[at:]
            at += 3
        elif words[at] == "@case":
            _, name, promise, manual, needs, where, *_ = words[at:]
            image.cases.append(Case(name, promise, manual, tuple(needs.split()), where))
            at += 6
        elif words[at] == "":
            at += 1
        else:
            raise UserError(f"{image.path}: section {SECTION} holds a record {words[at][:40]!r}")


@dataclass(frozen=True)
class Frame:
    """One function on a symbolised backtrace; inlined callers are frames of their own."""

    address: int
    function: str
    where: str


def symbolise(path: Path, addresses: Sequence[int]) -> List[Frame]:
    """Functions and lines for return addresses, if addr2line is there; else none.

    A return address points behind the call, possibly at the next line or function: one byte
    before it is inside of the call.
    """
    tool = shutil.which("addr2line")
    if tool is None or not addresses:
        return []
    inside = {address - 1: address for address in addresses}
    command = [tool, "-a", "-f", "-i", "-e", str(path), *(hex(a) for a in inside)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return _read_frames(done.stdout.splitlines(), inside)


def _read_frames(lines: List[str], inside: Dict[int, int]) -> List[Frame]:
    """The output of addr2line -a -f -i: an address, then pairs of function and place."""
    frames: List[Frame] = []
    address = 0
    at = 0
    while at < len(lines):
        if lines[at].startswith("0x"):
            address = inside.get(int(lines[at], 16), 0)
            at += 1
            continue
        where = lines[at + 1].split(" (discriminator")[0] if at + 1 < len(lines) else "??"
        # The build maps its own folder to ".".
        frames.append(Frame(address, lines[at], where[2:] if where.startswith("./") else where))
        at += 2
    return frames
