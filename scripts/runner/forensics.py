# SPDX-License-Identifier: BSD-2-Clause
"""What a machine looks like when it hangs or has given up, asked over QEMU's monitor (QMP).

The whole answer goes into the log folder; a few lines of it are shown with the failure.
"""

from __future__ import annotations

import json
import re
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List

_PATIENCE = 2.0  # seconds for an answer
_SAMPLES = 8
_REGISTER = re.compile(r"\b([RE]IP|[RE]SP|CR[0234]|EFL|[RE]FL)\s*=\s*([0-9a-fA-F]+)")
_RIP = re.compile(r"\b[RE]IP\s*=\s*([0-9a-fA-F]+)")
_SHOWN = ("RIP", "EIP", "RSP", "ESP", "CR0", "CR2", "CR3", "CR4")
_FRAMES = 16
_WORDS = re.compile(r"0x([0-9a-fA-F]{16})")
_TLB_SHOWN = 4000  # lines; a guest may map much


@dataclass
class State:
    """What to show of a machine, and the addresses that say where its guest was."""

    lines: List[str] = field(default_factory=list)
    visited: List[int] = field(default_factory=list)
    frames: List[int] = field(default_factory=list)


class Monitor:
    """The other end of `-qmp unix:PATH,server=on,wait=off`."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE)
        self._socket.connect(str(path))
        self._rest = b""
        self._read()  # the greeting
        self.ask("qmp_capabilities")

    def close(self) -> None:
        self._socket.close()

    def ask(self, command: str, **arguments: str) -> Any:
        """The answer to a command; events in between are of no interest."""
        request = json.dumps({"execute": command, "arguments": arguments})
        self._socket.sendall(request.encode() + b"\n")
        while True:
            line = self._read()
            if "return" in line:
                return line["return"]
            if "error" in line:
                return str(line["error"].get("desc", ""))

    def human(self, command: str) -> str:
        """A command of the monitor for people."""
        answer = str(self.ask("human-monitor-command", **{"command-line": command}))
        return answer.replace("\r", "")

    def _read(self) -> Dict[str, Any]:
        while b"\n" not in self._rest:
            data = self._socket.recv(1 << 16)
            if not data:
                raise OSError("the monitor is gone")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return dict(json.loads(line))


def collect(path: Path, folder: Path) -> State:
    """Saves the machine's state beside the console, as machine.log.

    A machine that does not answer is not worth a second failure: then there is nothing to show.
    """
    try:
        monitor = Monitor(path)
    except (OSError, ValueError):
        return State()
    try:
        return _collect(monitor, folder)
    except (OSError, ValueError, KeyError, TypeError):
        return State()
    finally:
        monitor.close()


def _collect(monitor: Monitor, folder: Path) -> State:
    status = str(monitor.ask("query-status").get("status", ""))
    state = State(visited=_sample(monitor))
    monitor.ask("stop")
    registers = monitor.human("info registers")
    code = monitor.human("x/16i $pc")
    state.frames = _walk_frames(monitor, registers)
    state.lines = _short(status, registers, code)
    parts = [("status", status), ("registers", registers), ("x/16i $pc", code)]
    parts.append(("addresses on the way", _addresses(state.visited)))
    parts.append(("return addresses", _addresses(state.frames)))
    for command in ("x/32gx $sp", "info mem", "info tlb", "info registers -a"):
        lines = monitor.human(command).splitlines()
        more = [f"... {len(lines) - _TLB_SHOWN} more lines"] if len(lines) > _TLB_SHOWN else []
        parts.append((command, "\n".join(lines[:_TLB_SHOWN] + more)))
    text = "".join(f"== {title}\n{body.strip()}\n\n" for title, body in parts)
    (folder / "machine.log").write_text(text, encoding="utf-8", errors="replace")
    return state


def _addresses(values: List[int]) -> str:
    return "\n".join(f"{value:#x}" for value in values)


def _walk_frames(monitor: Monitor, registers: str) -> List[int]:
    """Return addresses along the frame pointers, with which the images are built."""
    found = re.search(r"\bRBP\s*=\s*([0-9a-fA-F]+)", registers)
    at = int(found.group(1), 16) if found else 0
    frames: List[int] = []
    while at and at % 8 == 0 and len(frames) < _FRAMES:
        words = [int(word, 16) for word in _WORDS.findall(monitor.human(f"x/2gx {at:#x}"))]
        if len(words) != 2 or not words[1]:
            break
        frames.append(words[1])
        at = words[0] if words[0] > at else 0
    return frames


def _sample(monitor: Monitor) -> List[int]:
    """The last instructions of a machine that runs: where it is, again and again."""
    visited: List[int] = []
    for _ in range(_SAMPLES):
        found = _RIP.search(monitor.human("info registers"))
        address = int(found.group(1), 16) if found else 0
        if address and address not in visited:
            visited.append(address)
        time.sleep(0.003)
    return visited


def _short(status: str, registers: str, code: str) -> List[str]:
    values: Dict[str, str] = {}
    for name, value in _REGISTER.findall(registers):
        values.setdefault(name, value)
    words = " ".join(f"{name}={values[name]}" for name in _SHOWN if name in values)
    lines = [f"{status}: {words}" if status else words]
    return lines + [line.strip() for line in code.splitlines()[:3]]
