# SPDX-License-Identifier: BSD-2-Clause
"""One invocation of ./run: finds the command; what goes wrong becomes a line and a status."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import List, Optional

from . import command, terminal
from .errors import UserError
from .hypervisor import FOLDER
from .processes import kill_all

ROOT = Path(__file__).resolve().parents[2]


def main(
    argv: Optional[List[str]] = None,
    root: Path = ROOT,
    hypervisors: Path = FOLDER,
    logs: Optional[Path] = None,
) -> int:
    """The exit status of ./run."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    try:
        run = command.find(sys.argv[1:] if argv is None else argv)
        return run(command.Tree(root, hypervisors, logs or root / "logs"))
    except UserError as error:
        sys.stdout.flush()
        terminal.complain(str(error))
        return 2
    except KeyboardInterrupt:
        kill_all()
        return 130
    except BrokenPipeError:
        # The reader of our output went away: nothing is left to say, not even at exit.
        kill_all()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _terminated(_signal: int, _frame: Optional[FrameType]) -> None:
    """A polite kill is a Ctrl-C from somebody else."""
    raise KeyboardInterrupt
