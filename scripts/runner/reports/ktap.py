# SPDX-License-Identifier: BSD-2-Clause
"""KTAP 1, as the Linux kernel's tools read it: an image is a test with its cases below it."""

from __future__ import annotations

from typing import List

from .. import result as kinds
from ..record import Case, Run

_TIMEOUT = (kinds.HUNG, kinds.TIME)
_ERROR = (kinds.CRASHED, kinds.RESET, kinds.CUT_OFF, kinds.FLOOD, kinds.BROKEN, kinds.NOT_RUN)


def render(run: Run) -> str:
    """The whole document."""
    lines = ["KTAP version 1"]
    lines += [f"# {key}: {_plain(value)}" for key, value in run.host.items()]
    lines.append(f"1..{len(run.images)}")
    for number, image in enumerate(run.images, 1):
        if image.cases:
            lines += ["  KTAP version 1", f"  # Subtest: {image.name}", f"  1..{len(image.cases)}"]
        for at, case in enumerate(image.cases, 1):
            lines += ["  " + line for line in _case(run, case, at)]
        skip = image.verdict == kinds.SKIPPED
        lines += [f"# {p['kind']}: {_plain(p['text'])}" for p in image.problems]
        directive = f" # SKIP {_plain(image.text)}".rstrip() if skip else ""
        lines.append(f"{'not ok' if run.bad(image) else 'ok'} {number} {image.name}{directive}")
    return "\n".join(lines) + "\n"


def _case(run: Run, case: Case, number: int) -> List[str]:
    """Diagnostic lines come before the result that they explain."""
    lines: List[str] = []
    if case.verdict not in (kinds.PASSED, kinds.SKIPPED):
        text = case.description or case.known or case.text
        lines = [f"# {line}" for line in text.splitlines()]
    failed = run.red(case.verdict) or case.verdict in (kinds.KNOWN, kinds.MISMATCH)
    state = "not ok" if failed else "ok"
    return [*lines, f"{state} {number} {case.name}{_directive(run, case)}"]


def _directive(run: Run, case: Case) -> str:
    if case.verdict == kinds.SKIPPED:
        return f" # SKIP {_plain(case.text)}"
    if case.verdict in (kinds.KNOWN, kinds.MISMATCH) and not run.red(case.verdict):
        return f" # XFAIL {_plain(case.known or case.text)}"
    if case.verdict in _TIMEOUT:
        return f" # TIMEOUT {_plain(case.text)}"
    return f" # ERROR {_plain(case.text)}" if case.verdict in _ERROR else ""


def _plain(text: str) -> str:
    """A description must not hold the sign that starts a directive."""
    return " ".join(text.replace("#", "no. ").split())
