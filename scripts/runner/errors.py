# SPDX-License-Identifier: BSD-2-Clause
"""Errors that a user can do something about: one clear line each, exit status 2."""

from __future__ import annotations

from pathlib import Path
from typing import Union


class UserError(Exception):
    """The message is the whole explanation; nobody should need a traceback to read it."""


def at(path: Union[str, Path], line: int, message: str) -> UserError:
    """An error at a line of a file, in the form that editors and CI logs turn into links."""
    return UserError(f"{path}:{line}: {message}")
