# SPDX-License-Identifier: BSD-2-Clause
"""TAP 14: an image is a test point, and its cases are its subtest."""

from __future__ import annotations

from typing import List

from .. import result as kinds
from ..record import Case, Image, Run


def render(run: Run) -> str:
    """The whole document."""
    lines = ["TAP version 14", f"1..{len(run.images)}"]
    lines += [f"# {key}: {value}" for key, value in run.host.items()]
    for number, image in enumerate(run.images, 1):
        lines += _subtest(run, image)
        state = "not ok" if run.bad(image) else "ok"
        lines.append(f"{state} {number} - {_escape(image.name)}{_of_image(image)}")
        if run.bad(image) and image.problems:
            lines += ["  " + line for line in _yaml({"problem": image.problems[0]["text"]})]
    return "\n".join(lines) + "\n"


def _of_image(image: Image) -> str:
    if image.verdict == kinds.SKIPPED:
        return f" # SKIP {_escape(image.text or 'every case was skipped')}"
    return " # interrupted" if image.verdict == "interrupted" else ""


def _subtest(run: Run, image: Image) -> List[str]:
    if not image.cases:
        return []
    lines = [f"# Subtest: {_escape(image.name)}", f"    1..{len(image.cases)}"]
    for number, case in enumerate(image.cases, 1):
        state, directive = _state(run, case)
        point = f"{state} {number} - {_escape(case.name)}{directive}"
        lines.append("    " + point)
        lines += ["      " + line for line in _diagnostics(case)]
    return lines


def _state(run: Run, case: Case) -> "tuple[str, str]":
    """TODO is TAP's word for a failure that is expected."""
    if case.verdict == kinds.SKIPPED:
        return "ok", f" # SKIP {_escape(case.text)}"
    if case.verdict in (kinds.KNOWN, kinds.MISMATCH) and not run.red(case.verdict):
        return "not ok", f" # TODO {case.verdict}: {_escape(case.known or case.text)}"
    if case.verdict == kinds.UNEXPECTED and not run.red(case.verdict):
        return "ok", f" # TODO passes now: {_escape(case.known)}"
    return ("not ok" if run.red(case.verdict) else "ok"), ""


def _diagnostics(case: Case) -> List[str]:
    if case.verdict in (kinds.PASSED, kinds.SKIPPED, kinds.UNEXPECTED):
        return []
    said = {"verdict": case.verdict, "message": case.text, "attempts": str(case.attempts)}
    said.update({key: text for key, text in case.details.items() if key not in said})
    said.update({"at": case.at, "manual": case.manual, "replay": case.replay, "log": case.log})
    return _yaml({key: text for key, text in said.items() if text})


def _yaml(values: "dict[str, str]") -> List[str]:
    """Blocks take any text as it is."""
    lines = ["---"]
    for key, text in values.items():
        lines.append(f"{key}: |")
        lines += ["  " + line for line in text.splitlines()]
    return [*lines, "..."]


def _escape(text: str) -> str:
    """On one line, and without TAP's own sign for a directive."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("#", "\\#")
