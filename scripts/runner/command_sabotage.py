# SPDX-License-Identifier: BSD-2-Clause
"""./run sabotage [IMAGE...]: every bug that an image can play, against every case."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Callable, List

from . import adapter as adapters_of
from . import execution, options, plan, selection, session
from . import sabotage as sabotages
from .choose import choose
from .command import Tree
from .errors import UserError
from .kept_runs import read_all
from .processes import interrupted
from .matrix import Matrix
from .reports import matrix as reports
from .sabotage_runs import Runs
from .terminal import Terminal


def parser() -> argparse.ArgumentParser:
    """The words of this command."""
    made = options.Parser(
        prog="run sabotage",
        description="Runs images again and again while they play a processor with a bug, each time"
        " another one, and shows which cases notice (docs/proving-the-suite.md). Everything after"
        " -- goes to the hypervisor.",
        epilog="Exit status: 0 as it should be, 1 a bug that nothing noticed, a case that failed on"
        " permitted behaviour, or (when all was run) a case that noticed nothing and is not listed"
        " in scripts/runner/unproven.toml; 2 bad usage, 130 interrupted.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("images", nargs="*", metavar="IMAGE", help="x86/NAME.flat, or a name from unittests.cfg")
    add(
        "--only",
        type=options.words,
        default=(),
        metavar="NAME[,NAME]",
        help="these bugs or families of bugs, with wildcards",
    )
    add("--sample", type=options.positive, default=0, metavar="N", help="so many of the bugs")
    add("--seed", default="0", help="which ones: the same seed picks the same")
    add("--first", action="store_true", help="of each bug, nothing after the first failure")
    add(
        "--enough",
        action="store_true",
        help="each case only until it has noticed something, and each bug until it was noticed",
    )
    add(
        "--keep",
        default="",
        metavar="FILE",
        help="what launches showed: not launched again while image and hypervisor stay the same",
    )
    _add_launches(made)
    add("--text", default="-", metavar="FILE", help="the matrix for people (standard output)")
    add("--json", default="", metavar="FILE", help="one object, with every case")
    add("--html", default="", metavar="FILE", help="one page")
    return made


def _add_launches(made: options.Parser) -> None:
    add = made.add_argument
    add(
        "--merge",
        type=options.words,
        default=(),
        metavar="FILE[,FILE]",
        help="launch nothing: the matrix of what these files, of --keep, hold of the images",
    )
    add("--on", default="", metavar="NAME[,NAME]", help="hypervisors; auto: the first that fits")
    add("-j", "--jobs", type=options.positive, default=0, metavar="N", help="at once (CPUs)")
    add(
        "--limit",
        type=options.factor,
        default=60.0,
        metavar="SECONDS",
        help="that a launch may take, times what the hypervisor's pace asks for (60)",
    )


def main(argv: List[str], tree: Tree) -> int:
    """Runs the matrix and writes it."""
    own, extra = options.split(argv)
    return _Command(parser().parse_intermixed_args(own), extra, tree).main()


class _Command:
    def __init__(self, own: argparse.Namespace, extra: List[str], tree: Tree) -> None:
        self.own = own
        self.extra = tuple(extra)
        self.tree = tree
        self.terminal = Terminal(sys.stderr)

    def main(self) -> int:
        own = self.own
        images = selection.select(self.tree.root / "unittests.cfg", own.images, [], [])
        known = sabotages.of_images([item.entry.file for item in images])
        names = sabotages.choose(known, own.only, own.sample, own.seed)
        listed = sabotages.load_unproven(Path(__file__).with_name("unproven.toml"))
        matrix = Matrix([known[name] for name in names], listed)
        if own.merge:
            files = {item.entry.name: item.entry.file for item in images}
            matrix.merge([one for path in own.merge for one in read_all(Path(path), files)])
            # An image that no file has run could have cases that notice nothing.
            everything = len(names) == len(known) and not own.images
            matrix.complete = everything and {*matrix.images} == {*files}
            self._write(matrix)
            return int(not matrix.good)
        choice = choose(own.on, adapters_of.load_all(self.tree.hypervisors))
        shared = session.Options(extra=self.extra, build=self.tree.root / "build", seconds=1)
        made = plan.make(images, choice, shared)
        if not made.tasks:
            raise UserError("none of these images can run here")
        began = time.monotonic()
        folder = execution.new_log_folder(self.tree.logs)
        Runs(own, matrix, choice, folder, self.terminal).run(made.tasks)
        matrix.seconds = time.monotonic() - began
        everything = len(names) == len(known) and not own.images and not own.first
        matrix.complete = everything and not interrupted.is_set()
        self._write(matrix)
        return 130 if interrupted.is_set() else int(not matrix.good)

    def _write(self, matrix: Matrix) -> None:
        made: List[tuple[str, Callable[[Matrix], str]]] = [
            (self.own.text, reports.text),
            (self.own.json, reports.as_json),
            (self.own.html, reports.html),
        ]
        for path, render in made:
            if path == "-":
                sys.stdout.write(render(matrix))
            elif path:
                try:
                    Path(path).write_text(render(matrix), encoding="utf-8")
                except OSError as error:
                    raise UserError(f"cannot write {path}: {error.strerror}") from None
