# SPDX-License-Identifier: BSD-2-Clause
"""The beginning of a run out of a file that ./run bundle made."""

from __future__ import annotations

from pathlib import Path

from . import cli, command, failure


def main(folder: Path, program: str) -> int:
    """The images of the bundle; `program` is how the user called it."""
    failure.PROGRAM = program
    command.COMMANDS.pop("bundle", None)
    return cli.main(None, folder, folder / "runner" / "hypervisors", Path("shadowbox-logs"))
