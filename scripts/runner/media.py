# SPDX-License-Identifier: BSD-2-Clause
"""Boot media made from an image, for hypervisors that load no ELF file.

A medium depends on the image and on its command line alone, so it is kept in the build folder under
a hash of both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import List

from .errors import UserError

_TOOLS = ("grub-mkrescue", "xorriso", "mformat")
# BIOS alone: with every platform of a machine the medium would be ten times larger.
_GRUB = Path("/usr/lib/grub/i386-pc")
_MODULES = "multiboot iso9660 biosdisk"
_KEPT = 64 * 1024 * 1024
_CONFIG = """\
set timeout=0
multiboot /boot/image.flat {words}
boot
"""


def missing() -> str:
    """What is not installed here and is needed to make media; empty when all is there."""
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is not installed, which makes its boot medium"
    return "" if _GRUB.is_dir() else f"{_GRUB} is not installed (Debian: grub-pc-bin)"


def rescue_iso(image: Path, words: str, cache: Path) -> Path:
    """A CD that boots the image with a command line by BIOS and GRUB."""
    try:
        digest = hashlib.sha256(image.read_bytes())
        digest.update(b"\0" + words.encode() + b"\0" + _CONFIG.encode())
        path = cache / f"{digest.hexdigest()[:24]}.iso"
        if path.exists():
            os.utime(path)  # the oldest go first when room is made
            return path
        cache.mkdir(parents=True, exist_ok=True)
        _make_room(cache)
        with tempfile.TemporaryDirectory(prefix=".new.", dir=cache) as folder:
            made = _make(image, words, Path(folder))
            # At once, since another thread or run may want the same medium.
            made.replace(path)
    except OSError as error:
        raise UserError(f"cannot make a boot medium in {cache}: {error.strerror}") from None
    return path


def _make(image: Path, words: str, folder: Path) -> Path:
    tree = folder / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    shutil.copyfile(image, tree / "boot" / "image.flat")
    quoted = " ".join(_quote(word) for word in words.split())
    text = _CONFIG.format(words=quoted)
    (tree / "boot" / "grub" / "grub.cfg").write_text(text, encoding="utf-8")
    made = folder / "made.iso"
    command = ["grub-mkrescue", "-d", str(_GRUB), f"--install-modules={_MODULES} normal"]
    command += [f"--modules={_MODULES}", "--locales=", "--fonts=", "--themes="]
    command += ["-o", str(made), str(tree)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0 or not made.exists():
        lines: List[str] = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UserError(f"grub-mkrescue failed: {lines[-1] if lines else 'it said nothing'}")
    return made


def _quote(word: str) -> str:
    """GRUB's language has quotes as a shell has."""
    if any(char in word for char in "'\"$\\;&|{}<>#*?[]"):
        return "'" + word.replace("'", "'\\''") + "'"
    return word


def _make_room(cache: Path) -> None:
    """Removes the media that were not used for longest, above a total size."""
    found = sorted(cache.glob("*.iso"), key=lambda p: p.stat().st_mtime, reverse=True)
    total = 0
    for path in found:
        total += path.stat().st_size
        if total > _KEPT:
            path.unlink(missing_ok=True)
