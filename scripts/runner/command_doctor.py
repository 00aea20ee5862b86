# SPDX-License-Identifier: BSD-2-Clause
"""./run doctor: which hypervisors can be used here, what is missing, and which were ever proven."""

from __future__ import annotations

import argparse
import sys
from typing import List

from . import adapter as adapters_of
from . import doctor, options
from .command import Tree
from .errors import UserError
from .terminal import Terminal


def parser() -> argparse.ArgumentParser:
    """The words of this command."""
    made = options.Parser(
        prog="run doctor",
        description="Says for each hypervisor whether it can be used here and what is missing;"
        " unproven ones were written from documents, and nobody has run them yet. Status 1: none of"
        " them can be used.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("names", nargs="*", metavar="NAME", help="only these hypervisors")
    add("--hypervisor-file", action="append", default=[], metavar="FILE", help="one more")
    return made


def main(argv: List[str], tree: Tree) -> int:
    """Prints a few lines for each; the exit status."""
    own = parser().parse_intermixed_args(argv)
    adapters = adapters_of.load_all(tree.hypervisors, own.hypervisor_file)
    for name in own.names:
        if name not in adapters:
            raise UserError(f"unknown hypervisor '{name}' (known: {', '.join(adapters)})")
    terminal = Terminal(sys.stdout)
    usable = 0
    for name in own.names or adapters:
        lines = doctor.examine(adapters[name])
        usable += lines[0].startswith("usable")
        for line in lines:
            terminal.say(line)
    return 0 if usable else 1
