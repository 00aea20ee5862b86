# SPDX-License-Identifier: BSD-2-Clause
"""The options of ./run."""

from __future__ import annotations

import argparse
import os
from typing import List, NoReturn, Optional, Tuple

from .errors import UserError

_EPILOG = """\
Everything after -- goes to the hypervisor, behind the runner's own arguments:
  ./run x86/invlpg.flat -- -cpu qemu64

Environment: QEMU and BOCHS name other programs, ACCEL=kvm or tcg picks qemu-kvm or qemu-tcg,
TIMEOUT=SECONDS replaces every time limit, NO_COLOR turns colours off.

Exit status: 0 all passed, known to fail or mismatches of CPUID, 1 something failed,
2 bad usage or nothing could be launched, 77 all skipped, 130 interrupted.
"""


class _Parser(argparse.ArgumentParser):
    """argparse, with errors on one line."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (./run --help shows what there is)")


def parse(argv: List[str]) -> Tuple[argparse.Namespace, List[str]]:
    """The runner's own options, and the hypervisor's arguments after `--`."""
    own, extra = argv, []
    if "--" in argv:
        at = argv.index("--")
        behind = at + 1
        own, extra = argv[:at], argv[behind:]
    return _parser().parse_args(own), extra


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
    add("--on", default="", metavar="NAME[,NAME]", help="hypervisors; auto: the first that fits")
    add("--repeat", type=_positive, default=1, metavar="N", help="run everything N times")
    add("--dry-run", action="store_true", help="print the exact commands and start nothing")
    add("--gdb", action="store_true", help="stop the guest at its entry and wait for gdb")
    add("--seed", type=_seed, help="seed of everything random in the guest")
    add("--timeout-scale", type=_factor, default=1.0, metavar="X", help="multiply all time limits")
    add("--strict", action="store_true", help="known failures that pass and mismatches are errors")
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
