# SPDX-License-Identifier: BSD-2-Clause
"""The matrix of ./run sabotage as text, as JSON and as a page."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any, Dict, List

from ..matrix import Catch, Matrix
from ..sabotage import Sabotage

_HERE = Path(__file__).parent
_MOST_LINES = 400


def figures(matrix: Matrix) -> Dict[str, Any]:
    """The numbers that sum it up."""
    bugs = [one for one in matrix.sabotages if not one.is_control]
    silent = matrix.unproven_cases()
    return {
        "sabotages": len(bugs),
        "caught": len(bugs) - len(matrix.uncaught()),
        "cases": len(matrix.cases),
        "proven": len(matrix.cases) - len(silent),
        "unproven": len(silent),
        "controls": len(matrix.sabotages) - len(bugs),
        "controls_failed": len({one.name for one, _ in matrix.failed_controls()}),
        "median_wall": matrix.median("wall"),
        "median_cpu": matrix.median("cpu"),
        "launches": matrix.launches,
        "spared": matrix.spared,
        "seconds": round(matrix.seconds, 1),
        "complete": matrix.complete,
    }


def text(matrix: Matrix) -> str:
    """For people: what is wrong stands at the end."""
    lines = ["sabotages, and how many cases of each image notice them:"]
    lines += [_line(matrix, one) for one in matrix.sabotages if not one.is_control]
    lines += ["controls, on which nothing may fail:"]
    lines += [_line(matrix, one) for one in matrix.sabotages if one.is_control]
    lines += _many("unproven, for the reason that is listed", _listed(matrix))
    lines += _many("nothing caught", [f"{one.name}: {one.text}" for one in matrix.uncaught()])
    wrong = [
        f"{one.name}: {catch.case} on {catch.hypervisor}: {catch.kind}: {catch.text}"
        for one, catch in matrix.failed_controls()
    ]
    lines += _many("failed on permitted behaviour", wrong)
    what = "noticed nothing and not listed" if matrix.complete else "noticed nothing of this"
    silent = [case for case in matrix.unproven_cases() if not matrix.reason_of(case)]
    if not all(one.is_control for one in matrix.sabotages):
        lines += _many(what, silent)
    lines += _many("listed as unproven, but noticed something", matrix.wrongly_listed())
    lines += _many("broken without any sabotage", matrix.broken)
    return "\n".join([*lines, _sum(matrix)]) + "\n"


def _many(title: str, found: List[str]) -> List[str]:
    shown = [f"  {line}" for line in found[:_MOST_LINES]]
    more = [f"  and {len(found) - _MOST_LINES} more"] if len(found) > _MOST_LINES else []
    return [f"{title}: {len(found)}", *shown, *more] if found else []


def _listed(matrix: Matrix) -> List[str]:
    reasons = [(case, matrix.reason_of(case)) for case in matrix.unproven_cases()]
    return [f"{case}: {reason}" for case, reason in reasons if reason]


def _line(matrix: Matrix, one: Sabotage) -> str:
    catches = matrix.of(one)
    title = f"  {one.name} ({one.family}{', ' + one.bug if one.bug else ''})"
    if not catches:
        return f"{title}: nothing"
    images = Counter(catch.case.partition("/")[0] for catch in catches)
    counts = ", ".join(f"{image} {count}" for image, count in images.items())
    soonest = matrix.first(one)
    when = f"; first {soonest.case} after {_seconds(soonest)}" if soonest else ""
    return f"{title}: {counts}{when}"


def _seconds(catch: Catch) -> str:
    return f"{catch.cpu:.2f} s of CPU time, {catch.wall:.2f} s"


def _sum(matrix: Matrix) -> str:
    sums = figures(matrix)
    on = ", ".join(f"{name} {version}".rstrip() for name, version in matrix.hypervisors.items())
    line = (
        "{caught} of {sabotages} sabotages caught, {proven} of {cases} cases proven, "
        "{controls_failed} of {controls} controls failed"
    ).format(**sums)
    if sums["median_cpu"] is not None:
        line += "; median to the first failing check: {median_cpu:.2f} s of CPU time, ".format(
            **sums
        )
        line += "{median_wall:.2f} s".format(**sums)
    return f"{line} ({matrix.launches} launches on {on} in {matrix.seconds:.0f} s)"


def as_json(matrix: Matrix) -> str:
    """One object: sabotages with their catches, cases with what they notice, the figures."""
    data = {
        "figures": figures(matrix),
        "hypervisors": matrix.hypervisors,
        "sabotages": [
            {
                "name": one.name,
                "family": one.family,
                "bug": one.bug,
                "text": one.text,
                "caught_by": [
                    {**vars(catch), "wall": round(catch.wall, 3), "cpu": round(catch.cpu, 3)}
                    for catch in matrix.of(one)
                ],
            }
            for one in matrix.sabotages
        ],
        "cases": matrix.by_case(),
        "unproven": {case: matrix.reason_of(case) for case in matrix.unproven_cases()},
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def html(matrix: Matrix) -> str:
    """One page that needs nothing else: sabotages by images, then each with its cases."""
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    heads = "".join(f'<th scope="col">{escape(image)}</th>' for image in matrix.images)
    rows = "\n".join(_row(matrix, one) for one in matrix.sabotages)
    stories = "\n".join(_story(matrix, one) for one in matrix.sabotages if matrix.of(one))
    silent = "".join(
        f"<li>{escape(case)}: {escape(matrix.reason_of(case) or 'no reason is listed')}</li>"
        for case in matrix.unproven_cases()
    )
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>Shadowbox: sabotage</title><style>{style}</style></head><body>",
            f"<header><h1>Sabotage</h1><p>{escape(_sum(matrix))}</p></header><main>",
            f'<div class="wide"><table><thead><tr><th scope="col">sabotage</th>{heads}</tr>',
            f"</thead><tbody>\n{rows}\n</tbody></table></div>",
            stories,
            f"<h2>Cases that noticed nothing</h2><ul>{silent}</ul></main></body></html>\n",
        ]
    )


def _row(matrix: Matrix, one: Sabotage) -> str:
    images = Counter(catch.case.partition("/")[0] for catch in matrix.of(one))
    bad = one.is_control == bool(images)
    cells = "".join(f"<td>{images[image] or ''}</td>" for image in matrix.images)
    name = f'<span class="{"fail" if bad else "pass"}">{escape(one.name)}</span>'
    if images:
        name = f'<a href="#{escape(one.name)}">{name}</a>'
    return f'<tr><th scope="row" title="{escape(one.text)}">{name}</th>{cells}</tr>'


def _story(matrix: Matrix, one: Sabotage) -> str:
    title = f"{one.name} ({one.family}{', ' + one.bug if one.bug else ''}): {one.text}"
    lines = "\n".join(
        f"{catch.case} on {catch.hypervisor}, {_seconds(catch)}: {catch.text}"
        for catch in matrix.of(one)
    )
    return (
        f'<details class="story" id="{escape(one.name)}"><summary>{escape(title)}</summary>'
        f"<pre>{escape(lines)}</pre></details>"
    )
