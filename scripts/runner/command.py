# SPDX-License-Identifier: BSD-2-Clause
"""The commands of ./run, `./run COMMAND ...`; without one of these words it runs images.

A command is a module command_NAME.py with `main(argv, tree)`, which returns the exit status, and
`parser()`, from which the manual page and the shells' completions are made.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List

# Name and what it is good for. A module is loaded when its command is used.
COMMANDS: Dict[str, str] = {
    "compare": "what changed between two runs",
    "report": "one page, or another report, of the results of several runs",
    "doctor": "what can be used here, and what is missing",
    "sabotage": "bugs that the guest plays itself: which cases notice which",
    "bundle": "one executable file with images and the runner in it",
}


@dataclass(frozen=True)
class Tree:
    """Where the suite lies."""

    root: Path
    hypervisors: Path
    logs: Path


def find(argv: List[str]) -> "Callable[[Tree], int]":
    """What the words of a command line ask for."""
    if argv and argv[0] in COMMANDS:
        name, rest = argv[0], argv[1:]
    else:
        name, rest = "run", argv
    module = importlib.import_module(f".command_{name}", __package__)
    return lambda tree: int(module.main(rest, tree))
