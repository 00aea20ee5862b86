# SPDX-License-Identifier: BSD-2-Clause
"""./run report FILE...: results of earlier runs, together, in any format."""

from __future__ import annotations

import argparse
import sys
from typing import List

from . import merge, options, terminal
from . import result as kinds
from .command import Tree
from .record import Run
from .reports import writer


def parser() -> argparse.ArgumentParser:
    """The words of this command."""
    made = options.Parser(
        prog="run report",
        description="Puts the results of runs that were written with --json together, and writes"
        " them as one report: of the shards of a farm, of several machines.",
        epilog="Exit status: as of one run with all these results; also 1 when a run was cut off or"
        " a shard is missing.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add(
        "files",
        nargs="+",
        metavar="[LABEL=]FILE",
        help="JSON lines of a run; a label keeps its hypervisors apart from those of other files",
    )
    add("-q", "--quiet", action="store_true", help="show totals only")
    add("--strict", action="store_true", help="judge as ./run --strict does")
    options.add_formats(made.add_argument_group("what to write"))
    return made


def main(argv: List[str], tree: Tree) -> int:
    """Writes the reports; the status says what the results mean."""
    own = parser().parse_intermixed_args(argv)
    loaded = merge.load(own.files)
    run = merge.merge(loaded)
    run.strict = run.strict or own.strict
    run.command = run.command or ["./run", "report", *argv]
    doubts = merge.doubts(loaded)
    status = 1 if doubts else run.verdict()
    seconds, images = run.seconds, run.images
    out = terminal.Terminal(sys.stderr if writer.uses_stdout(own) else sys.stdout)
    run.images = []
    reports = writer.Writer(own, run)
    for image in images:
        reports.take(image)
    reports.close(status, seconds)
    run.images = images
    _say(run, out, own.quiet)
    for doubt in doubts:
        terminal.complain(doubt)
    return status


def _say(run: Run, out: terminal.Terminal, quiet: bool) -> None:
    """What failed, then a line for each hypervisor."""
    for image in run.images:
        for problem in image.problems if not quiet else []:
            word = out.verdict(problem["kind"])
            out.say(f"{word} {image.name}: {problem['text'].splitlines()[0]}")
        for case in image.cases if not quiet else []:
            if run.red(case.verdict):
                why = f": {case.text.splitlines()[0]}" if case.text else ""
                out.say(f"{out.verdict(case.verdict)} {case.id}{why}")
    for name in run.hypervisors:
        verdicts = [c.verdict for i in run.images if i.hypervisor == name for c in i.cases]
        red = sum(map(run.red, verdicts))
        counts = [f"{verdicts.count(kinds.PASSED)} passed", f"{red} failed"]
        others = [k for k in dict.fromkeys(verdicts) if k != kinds.PASSED and not run.red(k)]
        counts += [f"{verdicts.count(kind)} {kind}" for kind in sorted(others)]
        out.say(f"{name} {run.hypervisors[name]}".rstrip() + f": {', '.join(counts)}")
