# SPDX-License-Identifier: BSD-2-Clause
"""GitHub: annotations at the lines of failed checks, and the summary of a step."""

from __future__ import annotations

import re
from typing import List

from .. import result as kinds
from ..record import Case, Run

_MOST = 10  # GitHub shows no more of a kind for each step
_LARGEST = 1000 * 1000  # bytes; a summary of more than 1 MiB is refused as a whole
_PLACE = re.compile(r"([^:\s]+):(\d+)")


def commands(run: Run) -> str:
    """Workflow commands for the log of the step."""
    errors: List[str] = []
    for image in run.images:
        for problem in image.problems:
            title = f"{image.name}: {problem['kind']}"
            errors.append(f"::error title={_property(title)}::{_data(problem['text'])}")
        errors += [_annotation("error", c) for c in image.cases if run.red(c.verdict)]
    doubtful = (kinds.UNEXPECTED, kinds.FLAKY, kinds.MISMATCH)
    cases = [case for image in run.images for case in image.cases]
    doubts = [c for c in cases if c.verdict in doubtful and not run.red(c.verdict)]
    warnings = [_annotation("warning", case) for case in doubts]
    return "".join(line + "\n" for line in errors[:_MOST] + warnings[:_MOST])


def _annotation(level: str, case: Case) -> str:
    place = _PLACE.match(case.details.get("at", "") or case.at)
    where = f"file={_property(place.group(1))},line={place.group(2)}," if place else ""
    title = _property(f"{case.verdict}: {case.id}")
    return f"::{level} {where}title={title}::{_data(case.description or case.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(run: Run) -> str:
    """Markdown: a table of hypervisors, then each failure, folded."""
    lines = ["## Shadowbox", "", "| hypervisor | images | passed | failed | skipped | known |"]
    lines.append("|---|--:|--:|--:|--:|--:|")
    for name in sorted({image.hypervisor for image in run.images}):
        images = [image for image in run.images if image.hypervisor == name]
        cases = [case.verdict for image in images for case in image.cases]
        red = sum(map(run.red, cases)) + sum(bool(image.problems) for image in images)
        passed = cases.count(kinds.PASSED) + cases.count(kinds.FLAKY)
        numbers = [len(images), passed, red, cases.count(kinds.SKIPPED), cases.count(kinds.KNOWN)]
        title = f"{name} {run.hypervisors.get(name, '')}".rstrip()
        lines.append(f"| {title} | " + " | ".join(map(str, numbers)) + " |")
    lines.append("")
    for image in run.images:
        if image.problems:
            lines += _folded(f"{image.verdict}: {image.name}", image.description)
        for case in image.cases:
            if run.red(case.verdict) or case.verdict == kinds.FLAKY:
                lines += _folded(f"{case.verdict}: {case.id}", case.description or case.text)
    text = "\n".join(lines) + "\n"
    cut = text.encode()[:_LARGEST].decode("utf-8", "ignore")
    return cut if cut == text else cut + "\n\n(cut off)\n"


def _folded(title: str, text: str) -> List[str]:
    """Four backquotes, since a console may say three."""
    head = f"<details><summary>{title}</summary>"
    return [head, "", "````text", *text.splitlines(), "````", "", "</details>", ""]
