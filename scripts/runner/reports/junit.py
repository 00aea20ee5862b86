# SPDX-License-Identifier: BSD-2-Clause
"""JUnit's XML: a suite for each image on each hypervisor.

A failed check is a <failure>; a crash, a hang or a lost report an <error>; known failures count as
skipped, and say why; a pass on retry carries a <flakyFailure>, as Maven's Surefire writes it.
"""

from __future__ import annotations

import re
from typing import Dict, List
from xml.sax.saxutils import escape, quoteattr

from .. import result as kinds
from ..record import Case, Image, Run

# What XML 1.0 cannot hold, not even as a reference; a console says such things.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(run: Run) -> str:
    """The whole document."""
    suites = [_suite(run, image) for image in run.images]
    totals = {key: 0 for key in ("tests", "failures", "errors", "skipped")}
    for counts, _ in suites:
        for key in totals:
            totals[key] += counts[key]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f'<testsuites name="shadowbox"{_numbers(totals)} time="{run.seconds:.3f}">')
    for _, text in suites:
        lines += text
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suite(run: Run, image: Image) -> "tuple[Dict[str, int], List[str]]":
    tests = [_case(run, case) for case in image.cases]
    if not image.cases or image.problems:
        tests.append(_whole(run, image))
    body = "\n".join("\n".join(test) for test in tests)
    counts = {
        "tests": len(tests),
        "failures": body.count("<failure "),
        "errors": body.count("<error "),
        "skipped": body.count("<skipped "),
    }
    when = f" timestamp={_attribute(run.started)}" if run.started else ""
    head = (
        f'  <testsuite name={_attribute(image.name)}{_numbers(counts)} time="{image.seconds:.3f}"'
    )
    properties = {"hypervisor": f"{image.hypervisor} {image.version}".rstrip()}
    properties.update({f"host.{key}": value for key, value in run.host.items()})
    properties.update({f"guest.{key}": value for key, value in image.facts.items()})
    return counts, [head + when + ">", *_properties(properties, "    "), body, "  </testsuite>"]


def _whole(run: Run, image: Image) -> List[str]:
    """What went wrong with no single case."""
    text = "; ".join(f"{p['kind']}: {p['text']}" for p in image.problems)
    whole = Case(image.image, image.hypervisor, "(the whole image)", image.verdict)
    if image.problems:
        whole.verdict = image.problems[0]["kind"]
    whole.text, whole.description, whole.log = text or image.text, image.description, image.log
    return _case(run, whole)


def _case(run: Run, case: Case) -> List[str]:
    name = f"{case.image}@{case.hypervisor}"
    head = f"    <testcase classname={_attribute(name)} name={_attribute(case.name)}"
    head += f' time="{case.seconds:.3f}">'
    inner = _verdict(run, case)
    properties = {"checks": str(case.checks), "promise": case.promise, "manual": case.manual}
    if case.verdict == kinds.FLAKY:
        properties.update({"flaky": "true", "attempts": str(case.attempts)})
    said = {key: value for key, value in properties.items() if value}
    return [head, *_properties(said, "      "), *inner, "    </testcase>"]


def _verdict(run: Run, case: Case) -> List[str]:
    message = _attribute(case.text.splitlines()[0] if case.text else case.verdict)
    body = _text(case.description or case.text)
    kind = _attribute(case.verdict)
    if run.red(case.verdict):
        failures = (kinds.FAILED, kinds.MISMATCH, kinds.UNEXPECTED, kinds.FLAKY, kinds.MISSING)
        tag = "failure" if case.verdict in failures else "error"
        return [f"      <{tag} message={message} type={kind}>{body}</{tag}>"]
    if case.verdict == kinds.FLAKY:
        return [f"      <flakyFailure message={message} type={kind}>{body}</flakyFailure>"]
    if case.verdict in (kinds.SKIPPED, kinds.KNOWN, kinds.MISMATCH, "interrupted"):
        said = case.text if case.verdict == kinds.SKIPPED else f"{case.verdict}: {case.known}"
        return [f"      <skipped message={_attribute(said)} type={kind}/>"]
    return []


def _properties(values: Dict[str, str], indent: str) -> List[str]:
    if not values:
        return []
    lines = [
        f"{indent}  <property name={_attribute(key)} value={_attribute(value)}/>"
        for key, value in values.items()
    ]
    return [f"{indent}<properties>", *lines, f"{indent}</properties>"]


def _numbers(counts: Dict[str, int]) -> str:
    return "".join(f' {key}="{value}"' for key, value in counts.items())


def _attribute(text: str) -> str:
    return quoteattr(_ILLEGAL.sub("", text))


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("", text))
