# SPDX-License-Identifier: BSD-2-Clause
"""How to speak with an outer machine: a machine that is up and runs guests, one at a time.

It lies in a folder: `control` is a socket to it, `shared` a file that it sees as memory,
`kernel.log` the console of the kernel inside. Orders are lines: `sync TOKEN` ends what runs and is
answered by `synced TOKEN`; `run BYTES MEMORY CPUS ARGS` runs the image that lies in `shared`. What
comes back is the guest's console; a DLE byte starts a line of the outer machine's own words:
`ready ...`, `synced TOKEN`, `failed ...`, `ended HOW`. A DLE of the guest's comes as two.
"""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path
from typing import Iterator, Tuple

_DLE = b"\x10"
_CHUNK = 65536
_tokens = itertools.count(1)


class Lost(Exception):
    """The outer machine is gone, or does not answer."""


class Refused(Lost):
    """It said itself that it cannot serve."""


class Link:
    """A connection; the outer machine serves one at a time."""

    def __init__(self, folder: Path, answer_within: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(answer_within)
        self._rest = b""
        try:
            # Through the folder's descriptor, since the name of a socket must be short.
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                self._socket.connect(f"/proc/self/fd/{descriptor}/control")
            finally:
                os.close(descriptor)
        except OSError as error:
            self._socket.close()
            raise Lost(f"the outer machine is gone: {error.strerror}") from None

    def close(self) -> None:
        """Lets the next one connect."""
        self._socket.close()

    def order(self, words: str) -> None:
        """Sends one line."""
        try:
            self._socket.sendall(words.encode() + b"\n")
        except OSError as error:
            raise Lost(f"the outer machine is gone: {error}") from None

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(_CHUNK)
        except socket.timeout:
            raise Lost("the outer machine does not answer") from None
        except OSError as error:
            raise Lost(f"the outer machine is gone: {error.strerror}") from None
        if not data:
            raise Lost("the outer machine is gone")
        return data

    def pieces(self) -> Iterator[Tuple[bool, bytes]]:
        """What comes, for ever: (True, a line of its own words) or (False, console bytes)."""
        while True:
            before, mark, after = self._rest.partition(_DLE)
            if before:
                self._rest = mark + after
                yield False, before
            elif after[:1] == _DLE:
                self._rest = after[1:]
                yield False, _DLE
            elif b"\n" in after:
                line, _, self._rest = after.partition(b"\n")
                yield True, line
            else:
                self._rest += self._receive()

    def wait_for(self, word: bytes) -> bytes:
        """Drops everything up to a line of the outer machine's own that starts so."""
        for own, text in self.pieces():
            if own and text.startswith(b"failed "):
                raise Refused(text.decode("utf-8", "replace"))
            if own and text.startswith(word):
                return text
        raise AssertionError("pieces do not end")

    def sync(self) -> None:
        """Ends what still runs and drops what it said; raises Lost where nobody answers."""
        token = f"{os.getpid()}.{next(_tokens)}"
        self.order(f"sync {token}")
        self.wait_for(f"synced {token}".encode())

    def endless(self) -> None:
        """From now on no answer is due: a guest may think as long as it likes."""
        self._socket.settimeout(None)
