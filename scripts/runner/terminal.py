# SPDX-License-Identifier: BSD-2-Clause
"""Text for people: colours where a terminal shows them, one status line that never stays behind."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from typing import TextIO

from .errors import UserError

_CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
COLOUR_OF = {
    "passed": "green",
    "skipped": "yellow",
    "known": "yellow",
    "mismatch": "yellow",
    "unexpected pass": "yellow",
    "flaky": "yellow",
    "interrupted": "yellow",
}


class Terminal:
    """Standard output. Threads may write to it at the same time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._status = ""
        dumb = os.environ.get("TERM", "") in ("", "dumb")
        self.live = stream.isatty() and not dumb
        self.colours = self.live and not os.environ.get("NO_COLOR")

    def paint(self, text: str, colour: str) -> str:
        code = _CODES.get(colour)
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours and code else text

    def verdict(self, kind: str, width: int = 0) -> str:
        return self.paint(kind.ljust(width), COLOUR_OF.get(kind, "red"))

    def say(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            try:
                self._clear()
                print(text, file=self._stream)
                self._draw()
                self._stream.flush()
            except BrokenPipeError:
                raise
            except OSError as error:
                _forget(self._stream)
                raise UserError(f"cannot write the output: {error.strerror}") from None

    def status(self, text: str) -> None:
        """The one line that changes; nothing where there is no terminal."""
        if not self.live:
            return
        with self._lock:
            if text != self._status:
                self._clear()
                width = shutil.get_terminal_size().columns - 1
                self._status = text[:width]
                self._draw()
                self._stream.flush()

    def _clear(self) -> None:
        if self._status:
            self._stream.write("\r\x1b[K")

    def _draw(self) -> None:
        if self._status:
            self._stream.write(self._status)


def _forget(stream: TextIO) -> None:
    """What is still in its buffer would come up again as an error when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def complain(text: str) -> None:
    """One line on standard error."""
    print(f"run: {text}", file=sys.stderr)
