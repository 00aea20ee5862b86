# SPDX-License-Identifier: BSD-2-Clause
"""The processes of all launches: which there are, and their end."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Set

_live: Set[int] = set()
_live_lock = threading.Lock()
interrupted = threading.Event()


def kill_group(pid: int) -> None:
    """Ends a process with everything it started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def remember(pid: int) -> None:
    """A process that `kill_all` must not overlook."""
    with _live_lock:
        _live.add(pid)


def forget(pid: int) -> None:
    """The process has ended."""
    with _live_lock:
        _live.discard(pid)


def cpu_seconds(pid: int) -> float:
    """CPU time that a process took; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        ticks = sum(map(int, text.rpartition(")")[2].split()[11:13]))
    except (OSError, ValueError):
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK")


def queued_seconds(pid: int) -> float:
    """Time that a process was ready to run while the CPUs were with others: that of the thread that
    waited longest. 0 where the system does not tell."""
    longest = 0
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            words = (thread / "schedstat").read_text(encoding="utf-8").split()
            longest = max(longest, int(words[1]))
    except (OSError, ValueError, IndexError):
        pass  # a thread that has just ended
    return longest / 1e9


def kill_all() -> None:
    """Ends every hypervisor at once; their launches return as interrupted."""
    interrupted.set()
    with _live_lock:
        for pid in _live:
            kill_group(pid)
