# SPDX-License-Identifier: BSD-2-Clause
"""Completion for shells, made from the option parsers: ./run --completion bash, zsh or fish."""

from __future__ import annotations

import argparse
import importlib
from typing import Dict, List, Tuple

from .command import COMMANDS

SHELLS = ("bash", "zsh", "fish")
# Names stand in the tree, so they are looked up when somebody asks. $1 is the folder of ./run.
_IMAGES = "sed -n 's/^\\[\\(.*\\)\\]$/\\1/p' \"$1/unittests.cfg\" 2>/dev/null"
_HYPERVISORS = "ls \"$1/scripts/runner/hypervisors\" 2>/dev/null | sed -n 's/[.]toml$//p'"
_GROUPS = "sed -n 's/^groups *= *//p' \"$1/unittests.cfg\" 2>/dev/null | tr ' ' '\\n' | sort -u"
# What an option takes, by the name of its value.
_VALUES = {"FILE": "files", "NAME[,NAME]": "hypervisors", "GROUP": "groups"}


def options_of(parser: argparse.ArgumentParser) -> List[argparse.Action]:
    """Those that are written with dashes, in the order of --help."""
    return [a for a in parser._actions if a.option_strings and a.help != argparse.SUPPRESS]


def kind_of(action: argparse.Action) -> str:
    """`flag`, `files`, `hypervisors`, `groups`, `words` or `value`."""
    if action.nargs == 0 or action.nargs == "?":
        return "flag"
    if action.choices:
        return "words"
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return _VALUES.get(metavar, "value")


def parsers(run: argparse.ArgumentParser) -> Dict[str, argparse.ArgumentParser]:
    """Of every command; that of plain ./run has no name."""
    found = {"": run}
    for name in COMMANDS:
        module = importlib.import_module(f".command_{name}", __package__)
        found[name] = module.parser()
    return found


def script(shell: str, run: argparse.ArgumentParser) -> str:
    """The whole text, for `eval` or for a file."""
    make = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    return make(parsers(run))


def _sources() -> List[str]:
    """Functions of the shell, for the three lists."""
    lines = [f"_shadowbox_images() {{ {_IMAGES}; }}"]
    lines.append(f"_shadowbox_hypervisors() {{ echo auto; {_HYPERVISORS}; }}")
    return [*lines, f"_shadowbox_groups() {{ {_GROUPS}; }}"]


def _words(action: argparse.Action) -> str:
    return " ".join(map(str, action.choices or ()))


def _values_in_bash(parser: argparse.ArgumentParser) -> List[str]:
    lines: List[str] = []
    for action in options_of(parser):
        kind, names = kind_of(action), "|".join(action.option_strings)
        if kind == "files":
            lines.append(f'\t{names}) COMPREPLY=($(compgen -f -- "$word")); return ;;')
        elif kind == "words":
            lines.append(f'\t{names}) words="{_words(action)}" ;;')
        elif kind in ("hypervisors", "groups"):
            lines.append(f'\t{names}) words=$(_shadowbox_{kind} "$root") ;;')
        elif kind == "value":
            lines.append(f"\t{names}) return ;;")
    return lines


def _bash(found: Dict[str, argparse.ArgumentParser]) -> str:
    lines = ["# SPDX-License-Identifier: BSD-2-Clause", '# eval "$(./run --completion bash)"']
    lines += _sources()
    lines += [
        "_shadowbox_run() {",
        '\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=""',
        '\tlocal root; root=$(dirname "${COMP_WORDS[0]}")',
        "\tcase ${COMP_WORDS[1]} in",
    ]
    for name, parser in found.items():
        if name:
            flags = " ".join(s for a in options_of(parser) for s in a.option_strings)
            lines += [f"\t{name})", '\t\tCOMPREPLY=($(compgen -f -- "$word"))']
            lines += [f'\t\t[[ $word == -* ]] && COMPREPLY=($(compgen -W "{flags}" -- "$word"))']
            lines += ["\t\treturn ;;"]
    flags = " ".join(s for a in options_of(found[""]) for s in a.option_strings)
    lines += ["\tesac", "\tcase $before in", *_values_in_bash(found[""])]
    lines += [
        f'\t*) if [[ $word == -* ]]; then words="{flags}"',
        '\t   else words=$(_shadowbox_images "$root")',
        '\t\tCOMPREPLY=($(compgen -f -X "!*.flat" -- "$word"))',
        f'\t\t[[ $COMP_CWORD == 1 ]] && words+=" {" ".join(n for n in found if n)}"; fi ;;',
        "\tesac",
        '\tCOMPREPLY+=($(compgen -W "$words" -- "$word"))',
        "}",
        "complete -o filenames -F _shadowbox_run ./run",
    ]
    return "\n".join(lines) + "\n"


def _zsh_option(action: argparse.Action) -> str:
    text = (action.help or "").replace("[", "(").replace("]", ")").replace(":", " -")
    text = text.replace("'", "").replace("%%", "%")
    kind = kind_of(action)
    after = {
        "flag": "",
        "files": ":file:_files",
        "words": f":word:({_words(action)})",
        "hypervisors": ":hypervisor:($(_shadowbox_hypervisors $root))",
        "groups": ":group:($(_shadowbox_groups $root))",
        "value": ":value: ",
    }[kind]
    names = action.option_strings
    # A flag with an inner quote would need another one; none has.
    if len(names) == 1:
        return (
            f"'{names[0]}[{text}]{after}'" if "$" not in after else f'"{names[0]}[{text}]{after}"'
        )
    inside = "{" + ",".join(names) + "}"
    quote = '"' if "$" in after else "'"
    return f"{inside}{quote}[{text}]{after}{quote}"


def _zsh(found: Dict[str, argparse.ArgumentParser]) -> str:
    lines = ["# SPDX-License-Identifier: BSD-2-Clause", '# eval "$(./run --completion zsh)"']
    lines += [*_sources(), "_shadowbox_run() {", '\tlocal root; root=$(dirname "$words[1]")']
    lines.append("\tcase $words[2] in")
    for name, parser in found.items():
        if name:
            options = " ".join(_zsh_option(action) for action in options_of(parser))
            lines.append(
                f"\t{name}) shift words; (( CURRENT-- )); _arguments {options} '*:file:_files'"
            )
            lines.append("\t\treturn ;;")
    lines += ["\tesac", "\t_arguments \\"]
    lines += [f"\t\t{_zsh_option(action)} \\" for action in options_of(found[""])]
    names = " ".join(name for name in found if name)
    lines.append(f'\t\t"*:image:($(_shadowbox_images $root) {names})"')
    return "\n".join([*lines, "}", "compdef _shadowbox_run ./run run", ""])


def _fish_option(action: argparse.Action, condition: str) -> str:
    names = [
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
        for name in action.option_strings
    ]
    kind = kind_of(action)
    after = {
        "flag": "",
        "files": " -r -F",
        "words": f" -x -a '{_words(action)}'",
        "hypervisors": " -x -a '(_shadowbox_hypervisors)'",
        "groups": " -x -a '(_shadowbox_groups)'",
        "value": " -x",
    }[kind]
    text = (action.help or "").replace("'", "").replace("%%", "%")
    return f"complete -c run -n '{condition}' {' '.join(names)}{after} -d '{text}'"


def _fish(found: Dict[str, argparse.ArgumentParser]) -> str:
    lines = ["# SPDX-License-Identifier: BSD-2-Clause", "# ./run --completion fish | source"]
    for name, body in (("images", _IMAGES), ("hypervisors", _HYPERVISORS), ("groups", _GROUPS)):
        quoted = body.replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"function _shadowbox_{name}; sh -c '{quoted}' sh .; end")
    commands: List[Tuple[str, str]] = list(COMMANDS.items())
    names = " ".join(name for name, _ in commands)
    plain = f"not __fish_seen_subcommand_from {names}" if names else "true"
    lines += [_fish_option(action, plain) for action in options_of(found[""])]
    lines.append(f"complete -c run -n '{plain}' -a '(_shadowbox_images)'")
    for name, about in commands:
        lines.append(f"complete -c run -n '__fish_is_first_arg' -a {name} -d '{about}'")
        seen = f"__fish_seen_subcommand_from {name}"
        lines += [_fish_option(action, seen) for action in options_of(found[name])]
    return "\n".join(lines) + "\n"
