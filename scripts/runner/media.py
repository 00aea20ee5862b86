# SPDX-License-Identifier: BSD-2-Clause
"""Boot media made from an image, for hypervisors that load no ELF file."""

from __future__ import annotations

from pathlib import Path

from .errors import UserError


def rescue_iso(image: Path, words: str, cache: Path) -> Path:
    raise UserError("ISO media are not there yet")
