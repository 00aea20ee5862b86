# SPDX-License-Identifier: BSD-2-Clause
"""The options of ./run."""

from __future__ import annotations

import argparse
import os
from typing import List, NoReturn, Optional, Tuple

from . import flavour
from .command import COMMANDS
from .completion import SHELLS
from .errors import UserError

_EPILOG = """\
Everything after -- goes to the hypervisor, behind the runner's own arguments:
  ./run x86/invlpg.flat -- -cpu qemu64

Environment: QEMU and BOCHS name other programs, ACCEL=kvm or tcg picks qemu-kvm or qemu-tcg,
TIMEOUT=SECONDS replaces every time limit, NO_COLOR turns colours off.

Exit status: 0 all passed, known to fail, flaky or mismatches of CPUID, 1 something failed, 2 bad
usage or nothing could be launched, 77 all skipped, 130 interrupted; with --bisect also 125.
"""


class Parser(argparse.ArgumentParser):
    """argparse, with errors on one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (./run --help shows what there is)")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """-g, --group GROUP instead of -g GROUP, --group GROUP; and room for help beside it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


def split(argv: List[str]) -> Tuple[List[str], List[str]]:
    """The runner's own words, and the hypervisor's after `--`."""
    if "--" not in argv:
        return argv, []
    at = argv.index("--")
    behind = at + 1
    return argv[:at], argv[behind:]


def parse(argv: List[str]) -> Tuple[argparse.Namespace, List[str]]:
    """The runner's own options, and the hypervisor's arguments after `--`."""
    own, extra = split(argv)
    return parser().parse_intermixed_args(own), extra


def parser() -> argparse.ArgumentParser:
    """All options; completions and the manual page are made from it too."""
    made = Parser(
        prog="run",
        usage="./run [options] [IMAGE...] [-- HYPERVISOR ARGUMENTS]\n       ./run COMMAND ...",
        description="Runs test images under hypervisors and judges their reports.",
        epilog=_commands() + _EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "images", nargs="*", metavar="IMAGE", help="x86/NAME.flat, or a name from unittests.cfg"
    )
    _add_what(made.add_argument_group("what to run"))
    _add_how(made.add_argument_group("how to run it"))
    title = "configurations: each is run with each, and results carry them in their names"
    _add_configurations(made.add_argument_group(title))
    _add_judging(made.add_argument_group("how to judge it"))
    _add_reports(made.add_argument_group("what to write", "FILE may be -, for standard output"))
    return made


def _commands() -> str:
    lines = [f"  ./run {name:9} {about}" for name, about in COMMANDS.items()]
    return "\n".join(["Commands, each with its own --help:", *lines, "", ""]) if lines else ""


def _add_what(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add(
        "--case",
        action="append",
        default=[],
        metavar="GLOB",
        help="only these: case or image/case, with #N one combination of its axes",
    )
    add(
        "-g",
        "--group",
        action="append",
        default=[],
        help="only images of this group; of `exhaustive`, all combinations of their axes",
    )
    add(
        "--shard", type=_shard, metavar="I/N", help="the I-th of N parts; an image stays in its own"
    )
    add("--on", default="", metavar="NAME[,NAME]", help="hypervisors; auto: the first that fits")
    add(
        "--hypervisor-file",
        action="append",
        default=[],
        metavar="FILE",
        help="one more hypervisor, of a file that is not the tree's; without --on it is used",
    )
    add("--list-hypervisors", action="store_true", help="show their names and what they are")
    add(
        "--kut", default="", metavar="DIR", help="images of a kvm-unit-tests tree, as it lists them"
    )
    add("--list", action="store_true", help="show images and cases without booting anything")
    add("--dry-run", action="store_true", help="print the exact commands and start nothing")
    add("--gdb", action="store_true", help="stop the guest at its entry, in a debugger")


def _add_how(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("-j", "--jobs", type=positive, default=0, metavar="N", help="images at once (CPUs)")
    add("--repeat", type=positive, default=0, metavar="N", help="run everything N times")
    add("--until-fail", action="store_true", help="repeat until something fails")
    add("-x", "--fail-fast", action="store_true", help="start nothing more once something failed")
    add(
        "--retry",
        type=positive,
        default=0,
        metavar="N",
        help="try failures up to N times more; a later pass is flaky, never passed",
    )
    add("--seed", type=_seed, help="seed of everything random in the guest")
    add("--seconds", type=positive, default=0, metavar="N", help="how long a soak goes on")
    add("--timeout-scale", type=factor, default=1.0, metavar="X", help="multiply all time limits")


def _add_configurations(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add(
        "--cpu",
        type=flavour.cpu_model,
        action="append",
        default=[],
        metavar="MODEL",
        help="the processor; its commas are part of it, so more models take more --cpu",
    )
    add(
        "--accel",
        type=words,
        default=(),
        metavar="NAME[,NAME]",
        help="qemu-NAME of --list-hypervisors, in QEMU's words: tcg,kvm",
    )
    add("--machine", type=flavour.machine_words, metavar="NAME[,NAME]", help="microvm, pc, q35")
    add("--smp", type=flavour.smp_words, metavar="N[,N]", help="numbers of processors")


def _add_judging(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add(
        "--strict",
        action="store_true",
        help="known failures that pass, mismatches and flaky cases are errors",
    )
    add(
        "--require",
        type=words,
        default=(),
        metavar="NEED[,NEED]",
        help="a skip for such a need is a failure; all: every skip is",
    )
    add(
        "--bisect",
        action="store_true",
        help="for git bisect run: 0 good, 1 bad, 125 cannot test; --fail-fast",
    )
    add("--build", default="", metavar="COMMAND", help="run this in a shell first (for --bisect)")


def _add_reports(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("-v", "--verbose", action="store_true", help="show every case")
    add("-q", "--quiet", action="store_true", help="show failures and totals only")
    add(
        "--durations",
        type=positive,
        nargs="?",
        const=10,
        default=0,
        metavar="N",
        help="show the N slowest cases (10)",
    )
    add("--completion", choices=SHELLS, help="print completion for a shell")
    add_formats(group)


def add_formats(group: "argparse._ArgumentGroup") -> None:
    """What results can be written as; ./run report writes the same."""
    add = group.add_argument
    add("--json", default="", metavar="FILE", help="JSON lines, for ./run compare (docs/json.md)")
    add("--html", default="", metavar="FILE", help="one page: cases by hypervisors, failures, logs")
    add("--junit", default="", metavar="FILE", help="JUnit's XML")
    add("--tap", default="", metavar="FILE", help="TAP 14, a subtest for each image")
    add("--ktap", default="", metavar="FILE", help="KTAP 1, as the Linux kernel's tools read it")
    add("--github", action="store_true", help="annotations, and the summary of a GitHub step")


def words(text: str) -> Tuple[str, ...]:
    """Those between commas."""
    return tuple(word for word in text.split(",") if word)


def _shard(text: str) -> Tuple[int, int]:
    part, _, of = text.partition("/")
    if part.isdecimal() and of.isdecimal() and 1 <= int(part) <= int(of):
        return int(part), int(of)
    raise argparse.ArgumentTypeError(f"'{text}' is no I/N with I from 1 to N")


def positive(text: str) -> int:
    """A number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return int(text)


def factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"'{text}' is no number above 0")
    return value


def _seed(text: str) -> str:
    """Passed on as it was written, so that it can be found again in the report."""
    try:
        value = int(text, 16 if text.startswith("0x") else 10)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        raise argparse.ArgumentTypeError(f"'{text}' is no 64-bit number, decimal or 0x")
    return text


def timeout_from_environment() -> Optional[float]:
    """TIMEOUT in seconds, also as `90s`."""
    text = os.environ.get("TIMEOUT", "")
    if not text:
        return None
    try:
        value = float(text[:-1] if text.endswith("s") else text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise UserError(f"TIMEOUT is '{text}', not a number of seconds")
    return value
