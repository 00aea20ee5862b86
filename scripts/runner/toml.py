# SPDX-License-Identifier: BSD-2-Clause
"""A strict reader of the part of TOML that adapters use.

Python has tomllib from 3.11 on only, and the runner works from 3.9 on. Understood are strings on
one line, decimal integers, booleans, arrays of strings, tables and arrays of tables; keys are
simple. Everything else is an error that names file and line, so a file that is accepted here means
the same to every other reader of TOML.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Tuple, Union

from .errors import UserError, at

Value = Union[str, int, bool, List[str]]
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_INTEGER = re.compile(r"[+-]?(?:0|[1-9](?:_?[0-9])*)(?![0-9A-Za-z_.:+-])")
_WORD = re.compile(r"[^\s,#\]]+")
_ESCAPES = {
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    '"': '"',
    "\\": "\\",
}


@dataclass
class Table:
    """Keys of one table, with the line on which each of them stands (for later complaints)."""

    line: int = 0
    values: Dict[str, Value] = field(default_factory=dict)
    lines: Dict[str, int] = field(default_factory=dict)


@dataclass
class Document:
    """A file: keys before the first header, then tables, then arrays of tables."""

    path: str
    top: Table = field(default_factory=Table)
    tables: Dict[str, Table] = field(default_factory=dict)
    arrays: Dict[str, List[Table]] = field(default_factory=dict)

    def plain(self) -> Dict[str, object]:
        """The shape in which tomllib gives the same document."""
        result: Dict[str, object] = dict(self.top.values)
        result.update({name: table.values for name, table in self.tables.items()})
        result.update({name: [t.values for t in many] for name, many in self.arrays.items()})
        return result


class _Scanner:
    """A position in the text; everything that is read moves it forward."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.pos = 0

    def error(self, message: str) -> UserError:
        return at(self.path, self.line(), message)

    def line(self) -> int:
        return self.text.count("\n", 0, self.pos) + 1

    def peek(self) -> str:
        return self.text[self.pos] if self.pos < len(self.text) else ""

    def take(self, wanted: str) -> bool:
        if not self.text.startswith(wanted, self.pos):
            return False
        self.pos += len(wanted)
        return True

    def skip_blanks(self) -> None:
        while self.peek() and self.peek() in " \t":
            self.pos += 1

    def skip_blank_lines(self) -> None:
        """Over blanks, line ends and comments, to the next thing that means something."""
        while True:
            self.skip_blanks()
            if self.peek() == "#":
                self.skip_comment()
            if not (self.take("\n") or self.take("\r\n")):
                return

    def skip_comment(self) -> None:
        while self.peek() and self.peek() != "\n":
            self.pos += 1

    def end_of_line(self) -> None:
        self.skip_blanks()
        if self.peek() == "#":
            self.skip_comment()
        if self.peek() and not (self.take("\n") or self.take("\r\n")):
            raise self.error(f"unexpected {self.peek()!r} after the value")

    def key(self) -> str:
        if self.peek() and self.peek() in "\"'":
            return self.string()
        match = _BARE_KEY.match(self.text, self.pos)
        if not match:
            raise self.error("expected a key")
        self.pos = match.end()
        return match.group()

    def value(self) -> Value:
        if self.peek() == "[":
            return self.array()
        if self.peek() and self.peek() in "\"'":
            return self.string()
        match = _INTEGER.match(self.text, self.pos)
        if match:
            self.pos = match.end()
            return int(match.group())
        word = _WORD.match(self.text, self.pos)
        if word and word.group() in ("true", "false"):
            self.pos = word.end()
            return word.group() == "true"
        shown = word.group() if word else "nothing"
        raise self.error(f"expected a string, an integer, true, false or an array, found {shown}")

    def array(self) -> List[str]:
        self.take("[")
        items: List[str] = []
        while True:
            self.skip_blank_lines()
            if self.take("]"):
                return items
            if not self.peek() or self.peek() not in "\"'":
                raise self.error("an array holds strings only, with commas between them")
            items.append(self.string())
            self.skip_blank_lines()
            if not self.take(","):
                if not self.take("]"):
                    raise self.error("expected ',' or ']' in the array")
                return items

    def string(self) -> str:
        quote = self.peek()
        if self.text.startswith(quote * 3, self.pos):
            raise self.error("strings over several lines are not supported")
        self.pos += 1
        out: List[str] = []
        while True:
            char = self.peek()
            if char in ("", "\n"):
                raise self.error("this string does not end on its line")
            self.pos += 1
            if char == quote:
                return "".join(out)
            if (char < " " and char != "\t") or char == "\x7f":
                raise self.error("control characters in a string are written as escapes")
            out.append(self.escape() if char == "\\" and quote == '"' else char)

    def escape(self) -> str:
        char = self.peek()
        self.pos += 1
        if char in _ESCAPES:
            return _ESCAPES[char]
        size = {"u": 4, "U": 8}.get(char, 0)
        start, end = self.pos, self.pos + size
        digits = self.text[start:end]
        if not size or not re.fullmatch(r"[0-9A-Fa-f]{%d}" % size, digits):
            raise self.error(f"unknown escape '\\{char}' in a string")
        self.pos += size
        code = int(digits, 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise self.error(f"'\\{char}{digits}' is no Unicode character")
        return chr(code)


def _header(scan: _Scanner) -> Tuple[str, bool]:
    """A line `[name]` or `[[name]]`: the name, and whether it is an array of tables."""
    scan.take("[")
    many = scan.take("[")
    scan.skip_blanks()
    name = scan.key()
    scan.skip_blanks()
    if scan.peek() == ".":
        raise scan.error("dotted names are not supported")
    if not scan.take("]]" if many else "]"):
        raise scan.error("this header does not end")
    scan.end_of_line()
    return name, many


def _open_table(document: Document, scan: _Scanner) -> Table:
    table = Table(line=scan.line())
    name, many = _header(scan)
    taken = name in document.tables or name in document.top.values
    if taken or (name in document.arrays and not many):
        raise at(scan.path, table.line, f"'{name}' is defined a second time")
    if many:
        document.arrays.setdefault(name, []).append(table)
    else:
        document.tables[name] = table
    return table


def _assignment(table: Table, scan: _Scanner) -> None:
    line = scan.line()
    key = scan.key()
    scan.skip_blanks()
    if scan.peek() == ".":
        raise scan.error("dotted keys are not supported")
    if not scan.take("="):
        raise scan.error(f"expected '=' after '{key}'")
    if key in table.values:
        raise at(scan.path, line, f"'{key}' is defined a second time")
    scan.skip_blanks()
    table.values[key] = scan.value()
    table.lines[key] = line
    scan.end_of_line()


def parse(text: str, path: str) -> Document:
    """Reads a document; `path` only appears in error messages."""
    document = Document(path)
    scan = _Scanner(text, path)
    table = document.top
    scan.skip_blank_lines()
    while scan.peek():
        if scan.peek() == "[":
            table = _open_table(document, scan)
        else:
            _assignment(table, scan)
        scan.skip_blank_lines()
    return document


def load(path: Path) -> Document:
    """Reads a file."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
