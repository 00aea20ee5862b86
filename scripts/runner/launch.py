# SPDX-License-Identifier: BSD-2-Clause
"""One start of a hypervisor, as data: what to start, for how long, and how it ended."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional

from .forensics import State
from .hypervisor import Symptom


@dataclass(frozen=True)
class Limits:
    """Seconds of wall time; 0 means no limit."""

    total: float
    silence: float


@dataclass
class Launch:
    """What to start, and how to listen to it."""

    command: List[str]
    folder: Path  # logs go here
    console: str = "stdout"  # or "pty", or "fifo": {console} is the path of a FIFO
    symptoms: List[Symptom] = field(default_factory=list)
    noise: Optional["re.Pattern[str]"] = None  # lines of stderr that say nothing
    log: Optional[Path] = None
    monitor: Optional[Path] = None  # a socket that speaks QMP
    cleanup: List[str] = field(default_factory=list)  # run when the process is gone


@dataclass
class Ending:
    """How a launch came to its end. `kind` is empty when the process just ended by itself."""

    # "", "finished", "hung", "time", "flood", "reset", "crashed", "interrupted", or "enough"
    kind: str = ""
    text: str = ""
    status: Optional[int] = None
    seconds: float = 0.0
    stderr: str = ""
    console_bytes: int = 0
    alarms: List[str] = field(default_factory=list)  # of the host's kernel meanwhile
    state: State = field(default_factory=State)  # of a machine that hung or gave up

    def how(self) -> str:
        """The process status in words; negative statuses are signals."""
        if self.status is None:
            return "killed"
        if self.status >= 0:
            return f"status {self.status}"
        try:
            return f"signal {signal.Signals(-self.status).name}"
        except ValueError:
            return f"signal {-self.status}"
