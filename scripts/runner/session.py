# SPDX-License-Identifier: BSD-2-Clause
"""Runs one image on one hypervisor, as many launches as it takes to account for every case."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import struct
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Dict, FrozenSet, List, Optional, Tuple, Union

from . import media
from .batch import Pool, answers
from .catalog import Entry
from .errors import UserError
from .hypervisor import Adapter, Known, fill
from .image import Image
from .kernel_log import DEVICE, KernelLog
from .kut import cd_environment, foreign_arguments
from .kut_protocol import KutParser
from .launch import Ending, Launch, Limits
from .machine import Machine
from .media_rom import rom_media
from .protocol import Parser, Report, Reported
from .result import KERNEL, Account, ImageResult, Problem, apply_known, apply_required

KERNEL_LOG = DEVICE
BUSY_PAUSES = (0.5, 2.0)  # seconds before a busy hypervisor is started again
_LONGEST_SOCKET = 100  # bytes; systems take 104 to 108
Listener = Callable[[Report], None]


@dataclass(frozen=True)
class Ears:
    """Who hears of a launch while it runs."""

    progress: Optional[Listener] = None
    line: Optional[Callable[[str], None]] = None


@dataclass(frozen=True)
class Options:
    """What the user asked for that holds for every image."""

    globs: Tuple[str, ...] = ()
    seed: str = ""
    seconds: int = 0  # that each case of a soak takes
    extra: Tuple[str, ...] = ()
    timeout: Optional[float] = None  # replaces what the catalog says
    timeout_scale: float = 1.0
    retries: int = 0
    require: Tuple[str, ...] = ()
    build: Path = Path("build")
    files: Tuple[str, ...] = ()  # of hypervisors that are not the tree's
    exhaustive: bool = False  # all combinations of the axes that cases have
    sabotage: str = ""  # bugs that the guest is to play
    omitted: FrozenSet[str] = frozenset()  # cases that are left out
    first: bool = False  # the first failure is enough


@dataclass
class Job:
    """One image on one hypervisor."""

    entry: Entry
    image: Image
    adapter: Adapter
    version: str
    options: Options
    globs: Tuple[str, ...] = ()
    repeat: int = 0  # which repetition; 0 when there is only one
    guest: int = 0  # which of several that run at once; 0 when there is only one
    gdb_port: int = 0  # where gdb finds the guest; 0 without gdb

    @property
    def name(self) -> str:
        suffix = f".{self.repeat}" if self.repeat else ""
        suffix += f"+{self.options.sabotage}" if self.options.sabotage else ""
        return f"{self.entry.name}@{self.adapter.name}{suffix}"

    @property
    def folder(self) -> str:
        """The name of its log folder: in arguments QEMU has other uses for commas and the like."""
        return self.name.replace(",", "+").replace("=", "-")

    def limits(self) -> Limits:
        options = self.options
        if self.gdb_port:
            return Limits(0, 0)  # people think slowly
        total = float(self.entry.timeout * self.adapter.time_scale)
        total += options.seconds * len(self.image.cases)
        if options.timeout is not None:
            total = options.timeout
        silence = min(float(self.entry.silence * self.adapter.time_scale), total)
        return Limits(total * options.timeout_scale, silence * options.timeout_scale)

    def selected(self) -> List[str]:
        """The cases that are planned."""
        names = [case.name for case in self.image.select(self.globs)]
        return [name for name in names if name not in self.options.omitted]

    def _omission(self) -> int:
        """Those left out as the guest wants to be told: a bit for each of the image's cases."""
        names = [case.name for case in self.image.cases]
        return sum(1 << at for at, name in enumerate(names) if name in self.options.omitted)

    def known(self, case: str, message: str = "") -> Optional[Known]:
        """The adapter's entry about a case; it names the image, or an entry of unittests.cfg."""
        names = {f"{self.entry.name}/{case}", f"{self.image.name}/{case}"}
        version, cpus = self.version, self.entry.cpus
        for known in self.adapter.known:
            if any(known.applies(name, version, cpus, message) for name in names):
                return known
        return None

    def avoided(self) -> List[str]:
        """Cases that would only bring this hypervisor down, as its adapter knows."""
        known = [(case.name, self.known(case.name)) for case in self.image.cases]
        return [case for case, entry in known if entry is not None and entry.avoid]

    def words(self, resume: int = 0) -> List[str]:
        """The guest's command line."""
        words = list(self.entry.args)
        if self.entry.foreign is not None:
            return words  # the others are ours
        if self.globs:
            words.append("case=" + ",".join(self.globs))
        avoided = self.avoided()
        if avoided:
            words.append("avoid=" + ",".join(avoided))
        if self.options.seed:
            words.append(f"seed={self.options.seed}")
        if self.options.seconds:
            words.append(f"seconds={self.options.seconds}")
        if self.options.sabotage:
            words.append(f"sabotage={self.options.sabotage}")
        if self.options.omitted:
            words.append(f"omit={self._omission():#x}")
        if self.options.exhaustive:
            words.append("exhaustive")
        if self.guest:
            words.append(f"guest={self.guest}")
        if resume:
            words.append(f"resume={resume}")
        return words


def _values(job: Job, folder: Path, words: str) -> Dict[str, str]:
    """What stands for an adapter's placeholders in this launch; makes the media."""
    adapter = job.adapter
    image = job.entry.file
    values: Dict[str, str] = {}
    if adapter.image in media.MADE:
        image = _medium(job, words)
    elif adapter.image == "rom":
        values.update(_rom_values(job, words, folder))
    values.update(
        {
            "image": str(image),
            "memory": str(job.entry.memory + adapter.extra_memory),
            "cpus": str(job.entry.cpus),
            "args": words,
            "machine": adapter.machine_of(job.entry),
            "tmp": str(folder),
            "console": str(folder / "console.fifo"),
            "port": str(job.gdb_port),
            "entry": hex(job.image.entry),
            "cpu": adapter.cpu,
            "program": adapter.find_program() or adapter.program,
            "name": "shadowbox-" + hashlib.sha256(os.fsencode(folder)).hexdigest()[:12],
        }
    )
    return values


def prepare(job: Job, folder: Path, resume: int, outer: Optional[Path] = None) -> Launch:
    """The exact launch of an image; makes the media and small files that it asks for."""
    adapter = job.adapter
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    values = _values(job, folder, " ".join(job.words(resume)))
    values["outer"] = str((outer or folder).resolve())
    for name, text in adapter.files.items():
        (folder / name).write_text(fill(text, values), encoding="utf-8")
    monitor = _monitor_path(folder) if adapter.monitor else None
    values["monitor"] = str(monitor)
    more = [fill(word, values) for word in adapter.monitor]
    more += [fill(word, values) for word in adapter.gdb] if job.gdb_port else []
    more += foreign_arguments(job.entry, adapter, folder)
    # The user's arguments are the outer machine's where there is one.
    extra = () if adapter.batch else job.options.extra
    command = adapter.build(values, [*more, *extra])
    log = Path(fill(adapter.log, values)) if adapter.log else None
    launch = Launch(command, folder, adapter.console, adapter.symptoms, adapter.noise, log, monitor)
    launch.cleanup = [fill(word, values) for word in adapter.cleanup]
    return launch


def _medium(job: Job, words: str) -> Path:
    """The others' guests want their name in front, as QEMU writes it, and know no fw_cfg there."""
    module = cd_environment(job.entry, job.adapter.program)
    line = f"{job.entry.name} {words}" if module else words
    cache = job.options.build / "media"
    return media.make(job.adapter.image, job.entry.file, line, cache, module)


def _monitor_path(folder: Path) -> Path:
    """In the log folder, unless its path is longer than a socket's may be."""
    path = folder / "monitor"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"shadowbox-{digest}"


def _rom_values(job: Job, words: str, folder: Path) -> Dict[str, str]:
    """Files for an emulator that puts them at physical addresses."""
    try:
        made = rom_media(job.entry.file, words, job.entry.memory, folder)
    except (ValueError, struct.error):
        raise UserError(f"{job.entry.file}: has no segment that a ROM medium can hold") from None
    values = {
        "rom": str(made.rom),
        "info": str(made.info),
        "infoaddress": hex(made.info_address),
    }
    for index, (file, address) in enumerate(zip(made.ram, made.ram_address), 1):
        values[f"ram{index}"] = str(file)
        values[f"ram{index}address"] = hex(address)
    return values


class _Listening:
    """Feeds console bytes to the parser and tells the machine when to stop."""

    def __init__(self, parser: Union[Parser, KutParser], job: Job, ears: Ears) -> None:
        self.clock: Callable[[], Tuple[float, float]] = lambda: (0.0, 0.0)
        self._parser = parser
        self._job = job
        self._listener = ears.progress
        self._seen = -1
        self._stamped = 0

    def feed(self, data: bytes) -> str:
        self._parser.feed(data)
        report = self._parser.report
        progress = len(report.results) + report.begins
        if self._listener is not None and progress != self._seen:
            self._seen = progress
            self._listener(report)
        if report.boots > 1:
            return "reset"
        if self._stamp(report.results) and self._job.options.first:
            return "enough"
        return "finished" if report.terminal else ""

    def _stamp(self, results: List[Reported]) -> bool:
        """Notes when results came. True when a case failed that was not expected to."""
        seen, self._stamped = self._stamped, len(results)
        new = results[seen:]
        for result in new:
            result.after = self.clock()
        return any(r.state == "not ok" and self._job.known(r.name) is None for r in new)


def run(job: Job, folder: Path, outers: Pool, ears: Ears) -> ImageResult:
    """From the first launch to the verdict."""
    result = ImageResult(job.entry.name, job.adapter.name, job.version, folder, job.repeat)
    account = Account(job.selected())
    resume: Optional[int] = 0
    while resume is not None:
        where = folder / f"resume-{resume}" if resume else folder
        report, ending = _launch_until_up(job, where, resume, outers, ears)
        _note(result, report, ending)
        if job.gdb_port and ending.kind == "" and report.end is None:
            ending.kind = "interrupted"  # by whoever sits at gdb
            result.interrupted = True
        resume = account.add(report, ending, where)
        if job.gdb_port:
            break
    result.planned, result.plan_reason = account.planned, account.plan_reason
    result.problems += account.problems
    result.cases = account.cases(result.interrupted or ending.kind == "enough")
    apply_known(result, job.known)
    apply_required(result, job.options.require)
    save(result)
    return result


def _launch_until_up(
    job: Job, where: Path, resume: int, outers: Pool, ears: Ears
) -> Tuple[Report, Ending]:
    """Again where it was busy and, once, where its outer machine stopped before it came up."""
    for pause in (*BUSY_PAUSES, 0.0):
        with outers.lend(job.adapter, list(job.options.extra)) as outer:
            report, ending = _launch(job, prepare(job, where, resume, outer), resume, ears)
        said = f"{ending.text}\n{ending.stderr}"
        busy = job.adapter.busy and job.adapter.busy in said
        stopped = outer is not None and ending.kind == "hung" and not answers(outer)
        if report.boots or not (busy or (stopped and pause == BUSY_PAUSES[0])):
            break
        time.sleep(pause)
    return report, ending


def _launch(job: Job, launch: Launch, resume: int, ears: Ears) -> Tuple[Report, Ending]:
    kut = KutParser(ears.line) if job.entry.foreign else None
    parser = kut or Parser(resume, ears.line)
    text = shlex.join(launch.command) + "\n"
    (launch.folder / "command").write_text(text, encoding="utf-8")
    listening = _Listening(parser, job, ears)
    machine = Machine(launch, job.limits(), listening.feed)
    listening.clock = machine.clock
    log = KernelLog(KERNEL_LOG) if job.adapter.watch_kernel else None
    ending = machine.run()
    if log is not None:
        ending.alarms = log.alarms()
        log.close()
    if kut is not None:
        return kut.conclude(ending, any("isa-debug-exit" in w for w in launch.command)), ending
    return parser.finish(), ending


def _note(result: ImageResult, report: Report, ending: Ending) -> None:
    result.launches += 1
    result.seconds += ending.seconds
    result.facts = result.facts or report.facts
    result.notes += [note for note in report.notes if note not in result.notes]
    result.interrupted = result.interrupted or ending.kind == "interrupted"
    result.stderr = result.stderr or ending.stderr
    result.state = result.state if result.state.lines else ending.state
    if ending.alarms:
        result.problems.append(Problem(KERNEL, "\n".join(ending.alarms)))
    result.booted = result.booted or report.boots > 0
    if result.launches == 1 and not report.boots and not ending.console_bytes:
        result.unlaunched = ending.kind == "" and ending.status not in (None, 0)


def save(result: ImageResult) -> None:
    """The result as a file in its log folder."""
    data = asdict(result)
    data["verdict"] = result.verdict
    text = json.dumps(data, indent=1, default=str, ensure_ascii=False)
    (result.folder / "result.json").write_text(text + "\n", encoding="utf-8")
