# SPDX-License-Identifier: BSD-2-Clause
"""The manual page docs/run.1, made from the option parsers so that it cannot be out of date."""

from __future__ import annotations

import argparse
import re
from typing import List

from . import options
from .command import COMMANDS
from .completion import options_of, parsers

_FILES = [
    ("unittests.cfg", "which images there are, and what each of them asks for"),
    ("x86/NAME.flat", "the images"),
    ("scripts/runner/hypervisors/NAME.toml", "the hypervisors"),
    ("scripts/runner/hypervisors/known/NAME.toml", "their known failures"),
    (
        "logs/last",
        "what the last run said: a folder for each image, with console.log, stderr.log,"
        " command, result.json, and machine.log where a machine had to be stopped",
    ),
]


def page() -> str:
    """The page in the language of man(7)."""
    run = options.parser()
    lines = [
        '.\\" SPDX-License-Identifier: BSD-2-Clause',
        '.\\" Made by `make man`.',
        '.TH RUN 1 "" Shadowbox "Shadowbox\'s manual"',
        ".SH NAME",
        "run \\- runs test images under hypervisors and judges their reports",
        ".SH SYNOPSIS",
        ".B ./run",
        "[options] [IMAGE...] [\\-\\- HYPERVISOR ARGUMENTS]",
    ]
    for name in COMMANDS:
        lines += [".br", f".B ./run {name}", "..."]
    lines += [".SH DESCRIPTION", _text(_DESCRIPTION)]
    for group in run._action_groups:
        actions = [a for a in group._group_actions if a.option_strings]
        if actions:
            # Versions of Python do not agree about the title of options without a group.
            title = "options" if group is run._optionals else group.title or ""
            lines.append(f".SH {title.upper()}")
            lines += [_text(group.description)] if group.description else []
            lines += [line for action in actions for line in _option(action)]
    lines.append(".SH COMMANDS")
    for name, parser in parsers(run).items():
        if name:
            lines += _command(name, parser)
    lines += [".SH ENVIRONMENT AND EXIT STATUS", *_epilog(run.epilog or "")]
    lines += [".SH FILES"]
    for name, about in _FILES:
        lines += [".TP", f".I {_text(name)}", _text(about)]
    lines += [".SH SEE ALSO", _text("docs/report.md, docs/json.md, docs/reading-a-failure.md")]
    return "\n".join(lines) + "\n"


_DESCRIPTION = (
    "Boots each image on a hypervisor, reads the report on its console, and judges it: a case"
    " passes only when the report is complete and says so. Without names all images of"
    " unittests.cfg run, each on the first hypervisor that can be used here and offers what the"
    " image needs."
)


def _option(action: argparse.Action) -> List[str]:
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in action.option_strings)
    value = ""
    if action.nargs != 0:
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        if action.choices:
            metavar = "|".join(map(str, action.choices))
        value = f" \\fI{_text(metavar)}\\fR"
        value = f" [{value.strip()}]" if action.nargs == "?" else value
    return [".TP", names + value, _text((action.help or "").replace("%%", "%"))]


def _command(name: str, parser: argparse.ArgumentParser) -> List[str]:
    words = [str(a.metavar or a.dest) for a in parser._actions if not a.option_strings]
    lines = [f".SS ./run {name} [options] {_text(' '.join(words))}"]
    lines.append(_text(parser.description or COMMANDS[name]))
    for action in parser._actions:
        if not action.option_strings:
            lines += [".TP", f"\\fI{_text(str(action.metavar or action.dest))}\\fR"]
            lines.append(_text(action.help or ""))
    lines += [line for action in options_of(parser) for line in _option(action)]
    return [*lines, ".PP", _text(parser.epilog)] if parser.epilog else lines


def _epilog(text: str) -> List[str]:
    """Paragraphs; indented lines are commands."""
    lines: List[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith("Commands, each"):
            continue
        lines.append(".PP")
        for line in block.splitlines():
            lines += [".RS", _text(line.strip()), ".RE"] if line[:1] == " " else [_text(line)]
    return lines


def _text(text: str) -> str:
    """What roff would take for its own."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text
