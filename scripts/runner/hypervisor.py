# SPDX-License-Identifier: BSD-2-Clause
"""Hypervisors as data: what an adapter file says, and whether it can be used here."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from . import media
from .catalog import Entry
from .flavour import Flavour

FOLDER = Path(__file__).parent / "hypervisors"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Symptom:
    """A text that says what went wrong: on stderr (watched live), in the log, or in its status."""

    kind: str
    where: str  # "stderr", "log" or "end"
    pattern: "re.Pattern[str]"
    text: str


@dataclass(frozen=True)
class Requirement:
    """Something of this machine that the hypervisor cannot do without."""

    file: str
    reason: str
    pattern: Optional["re.Pattern[str]"] = None
    access: str = "r"
    auto_only: bool = False
    command: Tuple[str, ...] = ()  # its output is what has to contain the pattern

    def met(self, program: str = "") -> bool:
        if self.command and self.pattern is not None:
            command = [fill(word, {"program": program}) for word in self.command]
            return self.pattern.search(output_of(command)) is not None
        if self.pattern is not None:
            return matches(self.file, self.pattern)
        flags = os.O_RDWR if self.access == "rw" else os.O_RDONLY
        try:
            os.close(os.open(in_tree(self.file), flags | getattr(os, "O_CLOEXEC", 0)))
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Offer:
    """A need that is offered only where a file of this machine says so."""

    need: str
    file: str
    pattern: "re.Pattern[str]"


@dataclass(frozen=True)
class Remark:
    """What a file of this machine means for whoever reads the results."""

    file: str
    text: str
    time_scale: int = 1  # a further factor on time limits there

    def is_true(self) -> bool:
        """On this machine."""
        return os.path.exists(in_tree(self.file))


@dataclass(frozen=True)
class Known:
    """A known failure: which case, in which versions, and why."""

    case: str
    reason: str
    versions: str = ""
    host_file: str = ""  # only where this file exists, such as a kernel module's folder
    reported: str = ""  # where its makers were told
    avoid: bool = False  # not even tried: the guest skips it, since it would only hang
    sometimes: bool = False  # it passes at times too (by seed, by timing): then that is no news
    most_cpus: int = 0  # only with so many processors or fewer; 0 with any number
    message: str = ""  # only failures whose message contains it; passes are no news then

    def applies(self, case: str, version: str, cpus: int, message: str) -> bool:
        """Does it speak about `image/case` in this version on this host, which said so much?"""
        if self.message not in message:
            return False
        if self.host_file and not os.path.exists(self.host_file):
            return False
        if 0 < self.most_cpus < cpus:
            return False
        return fnmatch.fnmatchcase(case, self.case) and version_in(version, self.versions)


@dataclass
class Adapter:
    """Everything the runner knows about a hypervisor."""

    name: str
    description: str
    program: str
    command: List[str]
    batch: List[str] = field(default_factory=list)  # starts a machine that serves many launches
    path: str = ""
    override: str = ""
    version: List[str] = field(default_factory=list)
    says: str = ""  # its answer when asked for its version contains this: no other program's does
    auto: int = 0  # place in the order of `--on auto`; 0: never by itself
    unproven: bool = False  # written from its documents: nobody has run it yet
    tentative: bool = False
    no_kut: str = ""  # why guests of kvm-unit-tests cannot work
    busy: str = ""  # what it says when it cannot start now, and may a moment later
    watch_kernel: bool = False  # it is the host's kernel that runs the guest
    oldest: str = ""  # the first version that will do
    image: str = "elf"
    cpu: str = ""  # the processor's model; empty where it cannot be chosen
    extra_memory: int = 0  # MiB that its firmware keeps for itself
    console: str = "stdout"
    log: str = ""
    noise: Optional["re.Pattern[str]"] = None
    known_of: str = ""  # the same hypervisor under another name: its known failures hold here too
    offers: List[str] = field(default_factory=list)
    time_scale: int = 1
    cleanup: List[str] = field(default_factory=list)  # what a killed program leaves behind
    gdb: List[str] = field(default_factory=list)
    debugger: List[str] = field(default_factory=list)  # the hypervisor's own, in a terminal
    monitor: List[str] = field(default_factory=list)  # arguments for a QMP socket at {monitor}
    machines: Dict[str, str] = field(default_factory=dict)
    files: Dict[str, str] = field(default_factory=dict)
    requires: List[Requirement] = field(default_factory=list)
    offers_if: List[Offer] = field(default_factory=list)
    remarks: List[Remark] = field(default_factory=list)
    symptoms: List[Symptom] = field(default_factory=list)
    known: List[Known] = field(default_factory=list)
    base: str = ""  # its name without a flavour
    flavour: Flavour = Flavour()

    def flavoured(self, flavour: Flavour) -> "Adapter":
        """The same in a configuration of its own, with the name that results carry."""
        if not self.chooses_machine:
            flavour = replace(flavour, machine="")
        name = self.name + flavour.suffix
        cpu = flavour.cpu or self.cpu
        return replace(self, name=name, base=self.name, flavour=flavour, cpu=cpu)

    @property
    def chooses_machine(self) -> bool:
        """Has it more than one?"""
        return len(set(self.machines.values())) > 1

    def refuses(self, flavour: Flavour) -> str:
        """Why it has no such configuration; empty when it has."""
        if flavour.cpu and not self.cpu:
            return "its processor cannot be chosen"
        if flavour.machine and flavour.machine not in self.machines:
            return f"it has no machine {flavour.machine}"
        if flavour.smp > 1 and "cpus" not in self.offers:
            return "it offers one processor only"
        return ""

    @property
    def overridden(self) -> str:
        """The program that the environment names instead, as people are used to, or nothing."""
        return os.environ.get(self.override, "") if self.override else ""

    def find_program(self) -> Optional[str]:
        """The program's path."""
        return shutil.which(self.overridden or self.program)

    def why_not(self, auto: bool) -> str:
        """Why it cannot be used here; empty when it can."""
        return next(self.reasons(auto), "")

    def reasons(self, auto: bool) -> Iterator[str]:
        """Everything that is missing here."""
        if self.find_program() is None:
            wrong = "is no program" if os.path.exists(self.overridden) else "is not installed"
            yield f"{self._named(self.program)} {wrong}"
        if media.missing(self.image):
            yield media.missing(self.image)
        for requirement in self.requires:
            concerned = auto or not requirement.auto_only
            if concerned and not requirement.met(self.find_program() or self.program):
                yield requirement.reason

    @property
    def doubtful(self) -> bool:
        """Does it take its version, or its name, to know whether it can be used?"""
        return bool(self.oldest or (self.says and self.overridden))

    def unfit(self, said: str) -> str:
        """Why a program that says this of its version will not do; empty when it will."""
        program = self._named(self.find_program() or self.program)
        version = version_of(said)
        if self.says not in said:
            answer = next((line.strip() for line in said.splitlines() if line.strip()), "")
            wrong = f"it prints '{answer}'" if answer else "it prints nothing"
            question = " ".join(self.version[1:])
            return f"{program} is another program: asked {question}, {wrong}, not '{self.says}'"
        if self.oldest and version and version_in(version, f"<{self.oldest}"):
            return f"{program} {version} is too old: {self.oldest} or later is needed"
        return ""

    def _named(self, program: str) -> str:
        """The program, and who says so."""
        return f"{self.overridden} (from ${self.override})" if self.overridden else program

    def lacks(self, entry: Entry) -> str:
        """What the image asks for and this hypervisor does not offer; empty when all is there."""
        for need in entry.needs:
            if need not in self.offers and not self._offers_here(need):
                return f"needs {need}, which {self.name} does not offer"
        lacking = self._lacks_in_flavour(entry)
        if lacking:
            return lacking
        if self.machines and entry.machine not in self.machines:
            return f"needs machine {entry.machine}, which {self.name} does not have"
        if entry.foreign is not None:
            if self.no_kut:
                return self.no_kut
            if self.image == "rom":
                return f"needs multiboot, by which {self.name} does not boot"
            return entry.foreign.lacks(self.program, self.command)
        return ""

    def _lacks_in_flavour(self, entry: Entry) -> str:
        machine, smp = self.flavour.machine, self.flavour.smp
        if machine and entry.machine not in ("any", machine):
            return f"needs machine {entry.machine}, not {machine}"
        if machine == "microvm" and "pci" in entry.needs:
            return "needs pci, which microvm does not have"
        return f"needs {entry.cpus} processors, not {smp}" if 0 < smp < entry.cpus else ""

    def _offers_here(self, need: str) -> bool:
        offers = [offer for offer in self.offers_if if offer.need == need]
        return any(matches(offer.file, offer.pattern) for offer in offers)

    def remarks_here(self) -> List[str]:
        """Those that are true on this machine."""
        return [remark.text for remark in self.remarks if remark.is_true()]

    def ask_version(self) -> str:
        """What it says of its version, or nothing; starts the program once."""
        program = self.find_program()
        if program is None or not self.version:
            return ""
        values = {"program": program, "root": str(ROOT)}
        return output_of([fill(word, values) for word in self.version])

    def build(self, values: Dict[str, str], extra: List[str]) -> List[str]:
        """The command line; the user's own arguments come last, where they override."""
        known = {"program": self.find_program() or self.program, "root": str(ROOT)}
        filled = {"python": sys.executable, **known, **values}
        return [fill(word, filled) for word in self.command] + extra

    def machine_of(self, entry: Entry) -> str:
        wanted = self.flavour.machine or entry.machine
        return self.machines.get(wanted, wanted)


def output_of(command: List[str]) -> str:
    """What a program says on both streams; nothing when it does not start."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def version_of(said: str) -> str:
    """The version in what a program says, as `7.2.22`; empty where there is none."""
    match = re.search(r"\b\d+(?:\.\d+)+", said, re.ASCII)
    return match.group() if match else ""


def fill(template: str, values: Dict[str, str]) -> str:
    """Replaces `{word}`; other braces are left alone, since hypervisors have uses for them."""
    return re.sub(r"\{([a-z0-9]+)\}", lambda m: values.get(m.group(1), m.group()), template)


def in_tree(file: str) -> str:
    """A file name in which {root} stands for the tree's folder."""
    return file.replace("{root}", str(ROOT))


def matches(file: str, pattern: "re.Pattern[str]") -> bool:
    """Does a file of this machine contain the pattern? A file that is not there does not."""
    try:
        text = Path(in_tree(file)).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return pattern.search(text) is not None


def _numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def version_in(version: str, wanted: str) -> bool:
    """Is `version` inside `wanted`, such as `<8.0` or `>=7.2,<9 or >=10`? An unknown version is."""
    have = _numbers(version)
    return not have or any(_all_hold(have, span) for span in wanted.split(" or "))


def _all_hold(have: Tuple[int, ...], span: str) -> bool:
    for condition in filter(None, (part.strip() for part in span.split(","))):
        sign = condition.rstrip("0123456789.")
        limit = _numbers(condition)
        # 7.2.22 is "=7.2" and not ">7.2": compare as many parts as the condition names.
        missing = max(0, len(limit) - len(have))
        cut = (have + (0,) * missing)[: len(limit)]
        holds = {
            "<": cut < limit,
            "<=": cut <= limit,
            "=": cut == limit,
            "==": cut == limit,
            ">": cut > limit,
            ">=": cut >= limit,
        }
        if not holds[sign]:
            return False
    return True
