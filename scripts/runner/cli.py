# SPDX-License-Identifier: BSD-2-Clause
"""The command line of ./run."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import List, NoReturn, Optional, Tuple

from . import adapter as adapters_of
from . import catalog, debug, image, output, result, schedule, session, terminal
from .choose import Choice, choose
from .errors import UserError
from .hypervisor import Adapter
from .machine import interrupted, kill_all

ROOT = Path(__file__).resolve().parents[2]
_EPILOG = """\
Everything after -- goes to the hypervisor, behind the runner's own arguments:
  ./run x86/invlpg.flat -- -cpu qemu64

Environment: QEMU and BOCHS name other programs, ACCEL=kvm or tcg picks qemu-kvm or qemu-tcg,
TIMEOUT=SECONDS replaces every time limit, NO_COLOR turns colours off.

Exit status: 0 all passed or known to fail, 1 something failed, 2 bad usage or nothing could be
launched, 77 all skipped, 130 interrupted.
"""


class _Parser(argparse.ArgumentParser):
    """argparse, with errors on one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (./run --help shows what there is)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="run",
        usage="./run [options] [IMAGE...] [-- HYPERVISOR ARGUMENTS]",
        description="Runs test images under hypervisors and judges their reports.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("images", nargs="*", metavar="IMAGE", help="x86/NAME.flat, or a name from unittests.cfg")
    add(
        "--case", action="append", default=[], metavar="GLOB", help="only these: case or image/case"
    )
    add("--list", action="store_true", help="show images and cases without booting anything")
    add("-g", "--group", action="append", default=[], help="only images of this group")
    add("-j", "--jobs", type=_positive, default=0, metavar="N", help="images at once (CPUs)")
    add(
        "--on",
        default="",
        metavar="NAME[,NAME]",
        help="hypervisors; auto takes the first that fits",
    )
    add("--repeat", type=_positive, default=1, metavar="N", help="run everything N times")
    add("--dry-run", action="store_true", help="print the exact commands and start nothing")
    add("--gdb", action="store_true", help="stop the guest at its entry and wait for gdb")
    add("--seed", default="", help="seed of everything random in the guest")
    add("--timeout-scale", type=_factor, default=1.0, metavar="X", help="multiply all time limits")
    add("--strict", action="store_true", help="a known failure that passes is an error")
    add("-v", "--verbose", action="store_true", help="show every case")
    add("-q", "--quiet", action="store_true", help="show failures and totals only")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return int(text)


def _factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"'{text}' is no number above 0")
    return value


def _split(argv: List[str]) -> Tuple[List[str], List[str]]:
    """The runner's own arguments, and the hypervisor's after `--`."""
    if "--" not in argv:
        return argv, []
    at = argv.index("--")
    behind = at + 1
    return argv[:at], argv[behind:]


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status of ./run."""
    own, extra = _split(sys.argv[1:] if argv is None else argv)
    try:
        return Run(_parser().parse_args(own), extra).main()
    except UserError as error:
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


class Run:
    """One invocation."""

    def __init__(self, options: argparse.Namespace, extra: List[str]) -> None:
        self.options = options
        self.extra = extra
        self.terminal = terminal.Terminal(sys.stdout)
        self.config = ROOT / "unittests.cfg"

    def main(self) -> int:
        entries = self._entries()
        images = self._images(entries)
        if self.options.list:
            return self._list(images)
        choice = choose(self.options.on, adapters_of.load_all())
        tasks = self._tasks(images, choice)
        if self.options.dry_run:
            return self._dry_run(tasks)
        if self.options.gdb:
            return self._gdb(tasks, choice)
        return self._run(tasks, choice)

    def _entries(self) -> List[catalog.Entry]:
        """The images that were named, or all of the groups, or all."""
        known = catalog.load(self.config) if self.config.exists() else []
        groups = set(self.options.group)
        missing = groups - {group for entry in known for group in entry.groups}
        if missing:
            raise UserError(f"no image is in group '{sorted(missing)[0]}'")
        named = [entry for name in self.options.images for entry in self._named(name, known)]
        chosen = named or known
        if not chosen:
            raise UserError(f"{self.config}: lists no images")
        chosen = [e for e in chosen if not groups or groups & set(e.groups)]
        if not chosen:
            raise UserError("none of the named images is in the group")
        for entry in chosen:
            if entry.line:
                catalog.require_file(entry, self.config)
        return chosen

    def _named(self, name: str, known: List[catalog.Entry]) -> List[catalog.Entry]:
        """An image by its file or by its name; a file that is not in the catalog will do."""
        path = Path(name)
        found = [entry for entry in known if entry.name == name]
        if not found and path.is_file():
            found = [e for e in known if e.file.resolve() == path.resolve()]
            found = found or [catalog.Entry(path.name.split(".")[0], path)]
        if not found:
            raise UserError(f"{name}: there is no such image")
        return found

    def _images(self, entries: List[catalog.Entry]) -> List["_Selected"]:
        """Images with the cases that were asked for; those without any are left out."""
        selected = []
        for entry in entries:
            globs, excluded = _globs_for(entry.name, self.options.case)
            if excluded:
                continue
            loaded = image.load(entry.file)
            if not globs or not loaded.cases or loaded.select(globs):
                selected.append(_Selected(entry, loaded, tuple(globs)))
        if not selected:
            raise UserError(f"no case matches {' or '.join(self.options.case)}")
        return selected

    def _list(self, images: List["_Selected"]) -> int:
        for item in images:
            entry, loaded = item.entry, item.image
            summary = loaded.summary or entry.summary
            needs = f"  [needs {' '.join(entry.needs)}]" if entry.needs else ""
            title = self.terminal.paint(entry.name, "bold")
            self.terminal.say(f"{title}{': ' if summary else ''}{summary}{needs}")
            for case in loaded.select(item.globs):
                needs = f"  [needs {' '.join(case.needs)}]" if case.needs else ""
                self.terminal.say(f"  {case.name}{needs}")
                if case.promise and not self.options.quiet:
                    self.terminal.say(self.terminal.paint(f"      {case.promise}", "dim"))
        return 0

    def _session_options(self) -> session.Options:
        text = os.environ.get("TIMEOUT", "")
        try:
            timeout = float(text[:-1] if text.endswith("s") else text) if text else None
        except ValueError:
            raise UserError(f"TIMEOUT is '{text}', not a number of seconds") from None
        return session.Options(
            seed=self.options.seed,
            extra=tuple(self.extra),
            timeout=timeout,
            timeout_scale=self.options.timeout_scale,
            build=ROOT / "build",
        )

    def _tasks(self, images: List["_Selected"], choice: Choice) -> List[schedule.Task]:
        options = self._session_options()
        tasks = []
        for repeat in range(1, self.options.repeat + 1):
            number = repeat if self.options.repeat > 1 else 0
            for item in images:
                fitting = choice.candidates(item.entry)
                if not fitting and choice.auto:
                    self._skip(item, choice)
                for candidates in [fitting] if choice.auto else [[one] for one in fitting]:
                    if candidates:
                        tasks.append(_task(item, candidates, choice, options, number))
        if not tasks:
            lacks = choice.adapters[0].lacks(images[0].entry)
            raise UserError(f"nothing can be launched: {images[0].entry.name} {lacks}")
        return tasks

    def _skip(self, item: "_Selected", choice: Choice) -> None:
        reasons = "; ".join(adapter.lacks(item.entry) for adapter in choice.adapters)
        self.terminal.say(f"{self.terminal.verdict('skipped')} {item.entry.name}: {reasons}")

    def _dry_run(self, tasks: List[schedule.Task]) -> int:
        import shlex

        for task in tasks:
            job = task.make(task.candidates[0])
            launch = session.prepare(job, ROOT / "build" / "dry-run" / job.name, 0)
            self.terminal.say(shlex.join(launch.command))
        return 0

    def _gdb(self, tasks: List[schedule.Task], choice: Choice) -> int:
        if len(tasks) > 1:
            raise UserError("--gdb takes one image on one hypervisor")
        task = tasks[0]
        able = [adapter for adapter in task.candidates if adapter.gdb]
        if not able:
            raise UserError(f"{task.candidates[0].name} does not speak to gdb")
        job = task.make(able[0])
        job.gdb_port = debug.free_port()
        task = schedule.Task(lambda _adapter: job, [able[0]])
        status: List[int] = []
        debug.run(job, self.terminal.say, lambda: status.append(self._run([task], choice)))
        return status[0] if status else 2

    def _run(self, tasks: List[schedule.Task], choice: Choice) -> int:
        used: List[Adapter] = []
        for task in tasks:
            if task.candidates[0] not in used:
                used.append(task.candidates[0])
        self.terminal.say(choice.first_line(used))
        folder = _new_log_folder(ROOT / "logs")
        verbosity = int(self.options.verbose) - int(self.options.quiet)
        out = output.Output(self.terminal, len(tasks), verbosity, self.options.strict)
        out.widen([task.make(task.candidates[0]).name for task in tasks])
        live = len(tasks) == 1 and bool(self.options.images) and verbosity >= 0
        pool = schedule.Schedule(choice, out, folder, live)
        pool.run(tasks, self.options.jobs or os.cpu_count() or 1)
        out.close(folder)
        return self._status(pool.results)

    def _status(self, results: List[result.ImageResult]) -> int:
        if interrupted.is_set():
            return 130
        if results and all(r.unlaunched for r in results):
            return 2
        if not all(r.good for r in results):
            return 1
        kinds = [case.kind for r in results for case in r.cases]
        if self.options.strict and result.UNEXPECTED in kinds:
            return 1
        return 77 if all(kind == result.SKIPPED for kind in kinds) else 0


class _Selected:
    """An image with the globs that select among its cases."""

    def __init__(self, entry: catalog.Entry, loaded: image.Image, globs: Tuple[str, ...]) -> None:
        self.entry = entry
        self.image = loaded
        self.globs = globs


def _globs_for(name: str, wanted: List[str]) -> Tuple[List[str], bool]:
    """The case globs that concern an image, and whether all of them are about other images."""
    import fnmatch

    globs = []
    for glob in wanted:
        before, slash, after = glob.rpartition("/")
        if not slash or fnmatch.fnmatchcase(name, before):
            globs.append(after)
    return globs, bool(wanted) and not globs


def _task(
    item: _Selected,
    candidates: List[Adapter],
    choice: Choice,
    options: session.Options,
    repeat: int,
) -> schedule.Task:
    def make(adapter: Adapter) -> session.Job:
        version = choice.version(adapter)
        return session.Job(item.entry, item.image, adapter, version, options, item.globs, repeat)

    return schedule.Task(make, candidates)


def _new_log_folder(logs: Path) -> Path:
    """A folder of this run's own, and `last` pointing at it."""
    stamp = time.strftime("%Y-%m-%d_%H%M%S")
    try:
        for suffix in ("", *(f".{n}" for n in range(2, 1000))):
            folder = logs / (stamp + suffix)
            try:
                folder.mkdir(parents=True)
                break
            except FileExistsError:
                continue
        link = logs / f".last.{os.getpid()}"
        link.symlink_to(folder.name)
        link.replace(logs / "last")
        return folder
    except OSError as error:
        raise UserError(f"cannot write logs to {logs}: {error.strerror}") from None
