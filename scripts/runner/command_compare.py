# SPDX-License-Identifier: BSD-2-Clause
"""./run compare OLD NEW: what changed between two files of JSON lines."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List

from . import compare, options, record
from .command import Tree
from .errors import UserError
from .terminal import Terminal


def parser() -> argparse.ArgumentParser:
    """The words of this command."""
    made = options.Parser(
        prog="run compare",
        description="Compares two runs that were written with --json: hypervisor by hypervisor, or,"
        " where each has results of only one, that of the one with that of the other.",
        epilog="Exit status: 0 nothing got worse, 1 something did (new failures, cases that are"
        " gone, new skips, with --slow-fails slow-downs), 2 bad usage.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("old", metavar="OLD", help="JSON lines of the earlier run")
    add("new", metavar="NEW", help="JSON lines of the later run")
    add(
        "--on",
        action="append",
        default=[],
        metavar="NAME",
        help="only this hypervisor, as results call it; given twice: that of OLD, and that of NEW",
    )
    add(
        "--slower",
        type=options.factor,
        default=2.0,
        metavar="X",
        help="a case that takes more than X times as long is a slow-down (2)",
    )
    add(
        "--noise",
        type=options.factor,
        default=0.1,
        metavar="SECONDS",
        help="and at least so much longer (0.1)",
    )
    add("--slow-fails", action="store_true", help="slow-downs make the status 1 too")
    return made


def main(argv: List[str], tree: Tree) -> int:
    """Shows the differences; the status says whether anything got worse."""
    own = parser().parse_intermixed_args(argv)
    if len(own.on) > 2:
        raise UserError("--on names one hypervisor for both files, or one for each")
    old, new = record.load(Path(own.old)), record.load(Path(own.new))
    old, new = compare.pair(old, new, own.on)
    terminal = Terminal(sys.stdout)
    for line in compare.context(old, new):
        terminal.say(line)
    limits = compare.Limits(own.slower, own.noise, own.slow_fails)
    changes = compare.changes(old, new, limits)
    for change in changes:
        if change.lines:
            terminal.say(terminal.paint(f"{change.title}: {len(change.lines)}", change.colour))
            for text in change.lines:
                terminal.say(f"  {text}")
    if not any(change.lines for change in changes):
        terminal.say("no case differs")
    return int(any(change.worse and change.lines for change in changes))
