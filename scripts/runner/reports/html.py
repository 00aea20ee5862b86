# SPDX-License-Identifier: BSD-2-Clause
"""One page that needs nothing else: cases by hypervisors, filters, failures with their logs.

A table with a body for each image: a row that sums it up, its rows of cases, each with the stories
of what did not simply pass behind it, and the consoles. Without JavaScript all of it is shown.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

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
_RED = ("fail", "\u2717")
_NONE = "."  # in data-v: the case was not there


def render(run: Run) -> str:
    """The whole page."""
    return _Page(run).text()


def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _broken(name: str) -> str:
    """A long name may be broken behind each underscore."""
    return escape(name).replace("_", "_<wbr>")


class _Page:
    """The run, and what all parts of its page need."""

    def __init__(self, run: Run) -> None:
        self.run = run
        names = [*run.hypervisors, *sorted(image.hypervisor for image in run.images)]
        self.columns = list(dict.fromkeys(names))
        self.consoles = {path for image in run.images for path in image.consoles}
        self.cases = [case for image in run.images for case in image.cases]
        found = sorted({c.verdict for c in self.cases}, key=lambda v: (not run.red(v), v))
        # One letter for each verdict: a row says all of its own in a word.
        self.codes = {verdict: chr(ord("a") + n) for n, verdict in enumerate(found)}

    def style(self, verdict: str) -> Tuple[str, str]:
        return _RED if self.run.red(verdict) else _STYLES.get(verdict, ("known", "?"))

    def text(self) -> str:
        by_image: Dict[str, List[Image]] = {}
        for image in self.run.images:
            by_image.setdefault(image.image, []).append(image)
        # What somebody has to look at comes first.
        order = sorted(by_image, key=lambda name: not any(map(self.run.bad, by_image[name])))
        when = self.run.started.replace("T", " ").replace("Z", " UTC")
        title = f"Shadowbox {when}".rstrip()
        state = "failed" if any(map(self.run.bad, self.run.images)) else "nothing failed"
        parts = [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1, minimum-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}: {state}</title>",
            f"<style>{_file('page.css')}{_file('results.css')}</style>",
            '<script>document.documentElement.className = "js";</script></head><body>',
            self._header(title),
            f'<main><table id="matrix">{self._head()}',
            *(self._image(name, by_image[name]) for name in order),
            '</table><p id="nothing" hidden>Nothing matches.</p></main>',
            f"<script>{_file('results.js')}</script></body></html>",
        ]
        return "\n".join(parts) + "\n"

    def _header(self, title: str) -> str:
        counts = Counter(case.verdict for case in self.cases)
        chips = []
        for verdict, code in self.codes.items():
            style, sign = self.style(verdict)
            chips.append(_chip(style, code, f"{sign} {counts[verdict]} {verdict}"))
        several = len(self.columns) > 1
        columns = [_chip("", str(n), name) for n, name in enumerate(self.columns)]
        cut = self.run.status in (None, 130)
        doubt = "This run did not come to its end: what is missing here was not run."
        parts = [
            f"<header><h1>{escape(title)}</h1>",
            f'<p class="fail">{doubt}</p>' if cut else "",
            _chips("verdicts", "Verdicts", chips),
            _chips("columns", "Hypervisors", columns) if several else "",
            '<div class="bar"><input id="text" type="search" placeholder="Filter: words of an '
            'image, case, promise, reason" aria-label="Filter by text">',
            _switch("differ", "hypervisors differ") if several else "",
            _switch("times", "times"),
            '<button id="open" type="button">open all</button></div>',
            f"{self._where()}</header>",
        ]
        return "\n".join(filter(None, parts))

    def _where(self) -> str:
        """The command and the host; what hypervisors do not share stands beside each."""
        run = self.run
        facts = {"command": " ".join(run.command), "seconds": f"{run.seconds:.1f}", **run.host}
        lines = [f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items() if v]
        for name in self.columns:
            own = run.hosts.get(name, {})
            said = [run.hypervisors.get(name, ""), *(f"{k}: {v}" for k, v in own.items())]
            text = "; ".join(filter(None, said))
            lines.append(f"<dt>{escape(name)}</dt><dd>{escape(text) or 'version unknown'}</dd>")
        return (
            '<details class="host"><summary>Where this ran</summary>'
            f"<dl>{_all(lines)}</dl></details>"
        )

    def _head(self) -> str:
        """Hypervisors with their configurations, versions and totals."""
        heads = []
        for name in self.columns:
            base, *words = name.split(",")
            counts = self._counts([c for c in self.cases if c.hypervisor == name])
            small = [f"<small>{escape(w)}</small>" for w in words]
            small += [f"<small>{escape(self.run.hypervisors.get(name, ''))}</small>"]
            inside = f"{escape(base)}{_all(small)}<small>{counts}</small>"
            heads.append(f'<th scope="col" data-name="{escape(name)}">{inside}</th>')
        return f'<thead><tr><th scope="col">image and case</th>{_all(heads)}</tr></thead>'

    def _counts(self, cases: List[Case]) -> str:
        """How many of each style, the worst first: `1 3`, with their signs."""
        found = Counter(self.style(case.verdict) for case in cases)
        order = sorted(found, key=lambda s: ("fail", "known", "pass", "skip").index(s[0]))
        return " ".join(
            f'<span class="{style}">{sign}&nbsp;{found[style, sign]}</span>'
            for style, sign in order
        )

    def _image(self, name: str, images: List[Image]) -> str:
        rows: Dict[str, Dict[str, List[Case]]] = {}
        for image in images:
            for case in image.cases:
                rows.setdefault(case.name, {}).setdefault(case.hypervisor, []).append(case)
        bad = any(map(self.run.bad, images))
        summary = next((image.summary for image in images if image.summary), "")
        marks = _all(self._mark([i for i in images if i.hypervisor == h]) for h in self.columns)
        lines = [
            f'<tbody class="image{" open" if bad else ""}" id="{escape(name)}">',
            f'<tr class="sum"><th scope="rowgroup"><button type="button" '
            f'aria-expanded="{str(bad).lower()}">{_broken(name)}</button> '
            f"<i>{escape(summary)}</i></th>{marks}</tr>",
        ]
        lines += [self._problem(image) for image in images if image.problems]
        left_out = dict.fromkeys(image.text for image in images if image.text and not image.cases)
        lines += [self._wide("note", "", f"<p>{escape(text)}</p>") for text in left_out]
        for title, cells in rows.items():
            lines.append(self._row(name, title, cells))
            lines += [self._story(c) for found in cells.values() for c in found if c.description]
        consoles = {path: text for image in images for path, text in image.consoles.items()}
        for path, text in consoles.items():
            inside = f"<p>{escape(path)}</p><pre>{escape(text)}</pre>"
            lines.append(self._wide("story", f"log:{path}", inside))
        return "\n".join([*lines, "</tbody>"])

    def _mark(self, images: List[Image]) -> str:
        """What became of the image on one hypervisor."""
        cases = [case for image in images for case in image.cases]
        problems = [problem for image in images for problem in image.problems]
        said = self._counts(cases)
        if problems:
            said = f'<span class="fail">\u2717&nbsp;{escape(problems[0]["kind"])}</span> {said}'
        elif images and not cases:
            said = f'<span class="skip">\u2013&nbsp;{escape(images[0].need or "skipped")}</span>'
        texts = [problem["text"] for problem in problems] or [i.text for i in images if i.text]
        title = f"{sum(image.seconds for image in images):.3f} s" if cases else ""
        title = ": ".join(filter(None, [title, *texts[:1]]))
        attribute = f' title="{escape(title)}"' if title else ""
        return f"<td{attribute}>{said}</td>"

    def _row(self, image: str, name: str, cells: Dict[str, List[Case]]) -> str:
        worst = {h: min(found, key=self._badness) for h, found in cells.items()}
        codes = [self.codes[worst[h].verdict] if h in worst else _NONE for h in self.columns]
        promise = next((c.promise for c in worst.values() if c.promise), "")
        tds = _all(
            self._cell(worst[h], cells[h]) if h in worst else "<td></td>" for h in self.columns
        )
        at = escape(f"{image}/{name}")
        return (
            f'<tr class="case" id="{at}" data-v="{_all(codes)}" data-p="{escape(promise)}">'
            f'<th scope="row"><a href="#{at}">{_broken(name)}</a></th>{tds}</tr>'
        )

    def _badness(self, case: Case) -> Tuple[bool, bool]:
        return not self.run.red(case.verdict), case.verdict == kinds.PASSED

    def _cell(self, case: Case, cases: List[Case]) -> str:
        """A sign, a word where it did not pass, and everything else as its title."""
        style, sign = self.style(case.verdict)
        title = f"{case.seconds:.3f} s, {case.checks} checks"
        if case.verdict != kinds.PASSED or len(cases) > 1:
            same = sum(c.verdict == case.verdict for c in cases)
            many = f" {same} of {len(cases)}" if len(cases) > 1 else ""
            title = f"{title}; {case.verdict}"
            sign += escape(f" {case.need or case.verdict}{many}")
        why = case.known or case.text
        title += f": {why}" if why else ""
        if case.description:
            sign = f'<a href="#{_anchor(case)}">{sign}</a>'
        return f'<td class="{style}" title="{escape(title)}">{sign}</td>'

    def _story(self, case: Case) -> str:
        """The whole story of a case that did not simply pass."""
        style, sign = self.style(case.verdict)
        lines = [f'<p><b class="{style}">{sign} {escape(case.verdict)}</b> {escape(case.id)}</p>']
        lines += [f"<p>{escape(case.known)}</p>"] if case.known else []
        lines += [f"<p>reported: {escape(case.reported)}</p>"] if case.reported else []
        lines += [f"<pre>{escape(case.description)}</pre>"]
        lines.append(self._link(case.log))
        return self._wide("story", _anchor(case), "\n".join(lines))

    def _problem(self, image: Image) -> str:
        """What is wrong with no single case."""
        link = self._link(str(Path(image.log) / "console.log"))
        inside = f"<pre>{escape(image.description)}</pre>{link}"
        return self._wide("note", image.name, inside)

    def _link(self, log: str) -> str:
        """To the console, where it was kept."""
        if log not in self.consoles:
            return ""
        return f'<p><a class="log" href="#{escape("log:" + log)}">console</a></p>'

    def _wide(self, kind: str, anchor: str, inside: str) -> str:
        """A row without columns."""
        attribute = f' id="{escape(anchor)}"' if anchor else ""
        width = len(self.columns) + 1
        return f'<tr class="{kind}"{attribute}><td colspan="{width}"><div>{inside}</div></td></tr>'


def _all(parts: Iterable[str]) -> str:
    return "".join(parts)


def _chip(style: str, value: str, text: str) -> str:
    return (
        f'<label class="chip {style}"><input type="checkbox" value="{escape(value)}">'
        f"<span>{escape(text)}</span></label>"
    )


def _switch(name: str, text: str) -> str:
    return f'<label class="chip"><input id="{name}" type="checkbox"><span>{text}</span></label>'


def _chips(name: str, about: str, chips: List[str]) -> str:
    return f'<div id="{name}" class="chips" role="group" aria-label="{about}">{_all(chips)}</div>'


def _anchor(case: Case) -> str:
    return escape(f"{case.id}.{case.repeat}" if case.repeat else case.id)
