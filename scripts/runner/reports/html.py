# SPDX-License-Identifier: BSD-2-Clause
"""One page that needs nothing else: cases by hypervisors, filters, failures with their logs."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path
from typing import Dict, List, Tuple

from .. import result as kinds
from ..record import Case, Image, Run

_HERE = Path(__file__).parent
# Verdict -> class of style and sign: nobody has to tell colours apart.
_STYLES = {
    kinds.PASSED: ("pass", "\u2713"),
    kinds.SKIPPED: ("skip", "\u2013"),
    kinds.KNOWN: ("known", "\u25b3"),
    kinds.MISMATCH: ("known", "\u2260"),
    kinds.UNEXPECTED: ("known", "!"),
    kinds.FLAKY: ("known", "\u223c"),
    "interrupted": ("skip", "\u2026"),
}


def render(run: Run) -> str:
    """The whole page."""
    columns = list(dict.fromkeys([*run.hypervisors, *sorted(i.hypervisor for i in run.images)]))
    by_image: Dict[str, List[Image]] = {}
    for image in run.images:
        by_image.setdefault(image.image, []).append(image)
    # What somebody has to look at comes first.
    order = sorted(by_image, key=lambda name: not any(map(run.bad, by_image[name])))
    title = f"Shadowbox {run.started}".rstrip()
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(title)}</title>",
        f"<style>{_file('page.css')}</style></head><body>",
        _header(run, title),
        "<main>",
        *(_section(run, name, by_image[name], columns) for name in order),
        '<p id="nothing" hidden>Nothing matches.</p></main>',
        f"<script>{_file('page.js')}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _style(run: Run, verdict: str) -> Tuple[str, str]:
    return ("fail", "\u2717") if run.red(verdict) else _STYLES.get(verdict, ("known", "?"))


def _header(run: Run, title: str) -> str:
    counts = Counter(case.verdict for image in run.images for case in image.cases)
    order = sorted(counts, key=lambda verdict: (not run.red(verdict), verdict))
    chips = []
    for verdict in order:
        style, sign = _style(run, verdict)
        chips.append(
            f'<label class="chip {style}"><input type="checkbox" value="{escape(verdict)}">'
            f"<span>{sign} {counts[verdict]} {escape(verdict)}</span></label>"
        )
    facts = {"command": " ".join(run.command), "seconds": f"{run.seconds:.1f}", **run.host}
    facts.update({name: version for name, version in run.hypervisors.items() if version})
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items() if v)
    return "\n".join(
        [
            f"<header><h1>{escape(title)}</h1>",
            f'<div class="chips" role="group" aria-label="Verdicts">{"".join(chips)}</div>',
            '<div class="bar"><input id="text" type="search" placeholder="Filter: words of an '
            'image, case, reason" aria-label="Filter by text">',
            '<label class="chip"><input id="differ" type="checkbox"><span>hypervisors '
            "differ</span></label>",
            '<button id="open" type="button">open all</button>',
            f'</div><details class="host"><summary>Where this ran</summary><dl>{rows}</dl>',
            "</details></header>",
        ]
    )


def _section(run: Run, name: str, images: List[Image], columns: List[str]) -> str:
    """An image: its cases in the order of the plan, a column for each hypervisor."""
    rows: Dict[str, Dict[str, List[Case]]] = {}
    for image in images:
        for case in image.cases:
            rows.setdefault(case.name, {}).setdefault(case.hypervisor, []).append(case)
    bad = any(run.bad(image) for image in images)
    consoles = {name: text for image in images for name, text in image.consoles.items()}
    summary = next((image.summary for image in images if image.summary), "")
    marks = "".join(_mark(run, [i for i in images if i.hypervisor == h], h) for h in columns)
    heads = "".join(f'<th scope="col">{escape(h)}</th>' for h in columns)
    body = "\n".join(_row(run, case, cells, columns) for case, cells in rows.items())
    table = f'<div class="wide"><table><thead><tr><th scope="col">case</th>{heads}</tr></thead>'
    return "\n".join(
        [
            f'<details class="image"{" open" if bad else ""} data-name="{escape(name)}">',
            f"<summary><b>{escape(name)}</b> <i>{escape(summary)}</i>"
            f'<span class="marks">{marks}</span></summary>',
            *(_problems(run, image) for image in images if image.problems or image.text),
            f"{table}<tbody>\n{body}\n</tbody></table></div>" if rows else "",
            *(
                _failure(run, c, consoles.get(c.log, ""))
                for cells in rows.values()
                for found in cells.values()
                for c in found
            ),
            "</details>",
        ]
    )


def _mark(run: Run, images: List[Image], hypervisor: str) -> str:
    """What became of the image on one hypervisor, in a word."""
    if not images:
        return "<span></span>"
    verdicts = [case.verdict for image in images for case in image.cases]
    red = sum(map(run.red, verdicts)) + sum(bool(image.problems) for image in images)
    passed = verdicts.count(kinds.PASSED)
    noted = any(_style(run, verdict)[0] == "known" for verdict in verdicts)
    style = "fail" if red else "known" if noted else "pass" if passed else "skip"
    text = f"{red} failed" if red else f"{passed}/{len(verdicts)}" if verdicts else "skipped"
    return f'<span class="{style}" title="{escape(hypervisor)}">{escape(hypervisor)} {text}</span>'


def _row(run: Run, name: str, cells: Dict[str, List[Case]], columns: List[str]) -> str:
    cases = [case for found in cells.values() for case in found]
    verdicts = sorted({case.verdict for case in cases})
    words = " ".join({text for c in cases for text in (c.text, c.known, c.promise) if text})
    tds = "".join(_cell(run, cells.get(column, [])) for column in columns)
    return (
        f'<tr data-verdicts="{escape("|".join(verdicts))}" data-words="{escape(words.lower())}">'
        f'<th scope="row">{escape(name).replace("_", "_<wbr>")}</th>{tds}</tr>'
    )


def _cell(run: Run, cases: List[Case]) -> str:
    if not cases:
        return "<td></td>"
    case = min(cases, key=lambda c: (not run.red(c.verdict), c.verdict == kinds.PASSED))
    style, sign = _style(run, case.verdict)
    same = sum(c.verdict == case.verdict for c in cases)
    many = f" {same} of {len(cases)}" if len(cases) > 1 else ""
    word = "" if case.verdict == kinds.PASSED else f" {case.need or case.verdict}"
    text = f'<span class="{style}">{sign}{escape(word)}{many}</span>'
    if case.description:
        text = f'<a href="#{_anchor(case)}">{text}</a>'
    title = f"{case.verdict} in {case.seconds:.3f} s, {case.checks} checks"
    title += f": {case.known or case.text}" if case.known or case.text else ""
    return f'<td title="{escape(title)}">{text}</td>'


def _anchor(case: Case) -> str:
    return escape(f"{case.id}.{case.repeat}" if case.repeat else case.id)


def _failure(run: Run, case: Case, log: str) -> str:
    """The whole story of a case that did not simply pass."""
    if not case.description:
        return ""
    style, sign = _style(run, case.verdict)
    why = [f"<p>{escape(case.known)}</p>"] if case.known else []
    why += [f"<p>reported: {escape(case.reported)}</p>"] if case.reported else []
    return "\n".join(
        [
            f'<details class="story" id="{_anchor(case)}" data-verdict="{escape(case.verdict)}"'
            f' data-case="{escape(case.name)}">',
            f'<summary><span class="{style}">{sign} {escape(case.verdict)}</span> '
            f"{escape(case.id)}</summary>",
            *why,
            f"<pre>{escape(case.description)}</pre>",
            _log(log) if run.red(case.verdict) else "",
            "</details>",
        ]
    )


def _problems(run: Run, image: Image) -> str:
    if not image.problems:
        return f"<p>{escape(image.name)}: {escape(image.text)}</p>"
    log = image.consoles.get(str(Path(image.log) / "console.log"), "")
    return f"<pre>{escape(image.description)}</pre>{_log(log)}"


def _log(text: str) -> str:
    """The end of a console."""
    if not text:
        return ""
    return f"<details><summary>console</summary><pre>{escape(text)}</pre></details>"
