# SPDX-License-Identifier: BSD-2-Clause
"""./run without a command word: runs images and judges them."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from . import adapter as adapters_of
from . import batch, completion, debug, doctor, execution, flavour
from . import kut, options, plan, schedule, selection, session, terminal
from . import result as kinds
from .choose import Choice, choose
from .command import Tree
from .errors import UserError
from .hypervisor import Adapter
from .needs import NEEDS
from .reports import writer
from .selection import Selected

_UNTESTABLE = 125  # what git bisect takes for "skip this commit"
_MOST_NAMES = 3  # of images that are left out for one reason


def main(argv: List[str], tree: Tree) -> int:
    """Runs what the words ask for; the exit status of ./run."""
    bisect = "--bisect" in argv
    try:
        own, extra = options.parse(argv)
        if own.build and subprocess.run(own.build, shell=True, check=False).returncode:
            raise UserError(f"this failed: {own.build}")
        status = Run(own, extra, tree, argv).main()
    except UserError as error:
        if not bisect:
            raise
        terminal.complain(str(error))
        return _UNTESTABLE
    return _UNTESTABLE if bisect and status in (2, 77) else status


class Run:
    """What the user asked for, and the steps towards it."""

    def __init__(
        self, own: argparse.Namespace, extra: List[str], tree: Tree, argv: Sequence[str] = ()
    ) -> None:
        self.options = own
        self.extra = extra
        self.argv = list(argv)
        self.root = tree.root
        self.hypervisors = tree.hypervisors
        self.logs = tree.logs
        # Two readers of one stream would understand neither.
        reports = writer.uses_stdout(own)
        self.terminal = terminal.Terminal(sys.stderr if reports else sys.stdout)

    def main(self) -> int:
        own = self.options
        if own.completion:
            self.terminal.say(completion.script(own.completion, options.parser()).rstrip())
            return 0
        adapters = adapters_of.load_all(self.hypervisors, own.hypervisor_file)
        if own.list_hypervisors:
            for line in doctor.listing(adapters.values()):
                self.terminal.say(line)
            return 0
        config = self.root / "unittests.cfg"
        if own.kut:
            images = kut.select(Path(own.kut), own.images, own.group)
        else:
            images = selection.select(config, own.images, own.group, own.case)
        images = [item for item in images if plan.in_shard(item.entry.name, own.shard)]
        if own.list:
            return self._list(images)
        _check_words(own.require, images)
        choice = choose(_wanted(own), adapters, flavour.product(own))
        made = self._plan(images, choice)
        if own.gdb:
            return self._gdb(made.tasks, choice)
        if own.dry_run:
            return self._dry_run(made.tasks)
        if made.tasks:
            self._announce(made.tasks, choice)
        return self._run(made, choice)

    def _list(self, images: List[Selected]) -> int:
        for item in images:
            summary = item.image.summary or item.entry.summary
            title = self.terminal.paint(item.entry.name, "bold")
            needs = _needs(item.entry.needs)
            self.terminal.say(f"{title}{': ' if summary else ''}{summary}{needs}")
            for case in item.image.select(item.globs):
                self.terminal.say(f"  {case.name}{_needs(case.needs)}")
                if case.promise and not self.options.quiet:
                    self.terminal.say(self.terminal.paint(f"      {case.promise}", "dim"))
        return 0

    def _plan(self, images: List[Selected], choice: Choice) -> plan.Plan:
        """What to run; an image that nobody can run here is skipped in so many words."""
        own = self.options
        shared = session.Options(
            seed=own.seed or "",
            seconds=own.seconds,
            extra=tuple(self.extra),
            timeout=options.timeout_from_environment(),
            timeout_scale=own.timeout_scale,
            retries=own.retry,
            require=own.require,
            build=self.root / "build",
            files=tuple(own.hypervisor_file),
            exhaustive="exhaustive" in self.options.group,
        )
        made = plan.make(images, choice, shared)
        self._left_out(made)
        return made

    def _left_out(self, made: plan.Plan) -> None:
        """Many with one reason share a line; what is no failure is not said when quiet."""
        reasons: Dict[Tuple[str, str], List[str]] = {}
        for _, left in made.left_out:
            reasons.setdefault((left.verdict, left.plan_reason), []).append(left.image)
        for (verdict, reason), names in reasons.items():
            if self.options.quiet and verdict in kinds.GREEN:
                continue
            if len(names) > _MOST_NAMES and not self.options.verbose:
                names = [f"{len(names)} images"]
            for name in names:
                self.terminal.say(f"{self.terminal.verdict(verdict)} {name}: {reason}")

    def _dry_run(self, tasks: List[schedule.Task]) -> int:
        for task in tasks:
            job = task.make(task.candidates[0])
            folder = (self.root / "build" / "dry-run" / job.folder).resolve()
            launch = session.prepare(job, folder, 0)
            if job.adapter.batch:
                # It stays up, and the second command needs it.
                outer = shlex.join(batch.command_of(job.adapter, folder, self.extra))
                self.terminal.say(f"(cd {shlex.quote(str(folder))} && {outer}) &")
            self.terminal.say(shlex.join(launch.command))
        return 0

    def _gdb(self, tasks: List[schedule.Task], choice: Choice) -> int:
        if len(tasks) != 1:
            raise UserError("--gdb takes one image on one hypervisor")
        able = [one for one in tasks[0].candidates if one.gdb or one.debugger]
        if not able:
            raise UserError(f"{tasks[0].candidates[0].name} does not speak to gdb")
        job = tasks[0].make(able[0])
        job.gdb_port = debug.free_port() if able[0].gdb else 0
        folder = self.root / "build" / "debugger" / job.folder
        if self.options.dry_run:
            for command in debug.commands(job, folder):
                self.terminal.say(shlex.join(command))
            return 0
        task = schedule.Task(lambda _adapter: job, [able[0]])
        self._announce([task], choice)
        if not able[0].gdb:
            return debug.run_own(job, folder, self.terminal.say)
        status: List[int] = []
        made = plan.Plan([task])
        debug.run(job, self.terminal.say, lambda: status.append(self._run(made, choice)))
        return status[0] if status else 2

    def _announce(self, tasks: List[schedule.Task], choice: Choice) -> None:
        used: List[Adapter] = []
        for task in tasks:
            if task.candidates[0] not in used:
                used.append(task.candidates[0])
        self.terminal.say(choice.first_line(used))

    def _run(self, made: plan.Plan, choice: Choice) -> int:
        shared = execution.Execution(self.options, self.argv, self.logs, self.terminal)
        return shared.run(made, choice)


def _wanted(own: argparse.Namespace) -> str:
    """--on, or --accel in the words of QEMU; a file that is named is meant to be used."""
    if own.accel and own.on:
        raise UserError("--accel picks among the hypervisors that QEMU fronts: not with --on")
    if own.accel:
        return ",".join(f"qemu-{word}" for word in own.accel)
    return own.on or ",".join(Path(file).stem for file in own.hypervisor_file)


def _check_words(words: Sequence[str], images: List[Selected]) -> None:
    """A word of --require that is misspelt would require nothing."""
    known = {"all", *NEEDS}
    known.update(need for item in images for case in item.image.cases for need in case.needs)
    for word in words:
        if word not in known:
            raise UserError(f"nothing here needs '{word}' (known: {', '.join(sorted(known))})")


def _needs(words: Tuple[str, ...]) -> str:
    return f"  [needs {' '.join(words)}]" if words else ""
