# SPDX-License-Identifier: BSD-2-Clause
"""Boot media made from an image, for hypervisors that load no ELF file.

A medium depends on the image and on its command line alone, so it is kept in the build folder under
a hash of both.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

from .errors import UserError
from .media_bzimage import bzimage

_TOOLS = ("grub-mkrescue", "xorriso", "mformat")
_KEPT = 64 * 1024 * 1024
_CONFIG = """\
set timeout=0
{loader} /boot/image.flat {words}
{module}boot
"""


@dataclass(frozen=True)
class _Platform:
    """One kind of firmware: with every one of a machine the medium would be ten times larger."""

    grub: Path
    modules: str
    package: str
    loader: str  # GRUB's word for the protocol by which it enters the image


_MODULES = "multiboot multiboot2 iso9660 normal"
# By Multiboot 1, as a loader from a BIOS does; UEFI's tables are told by Multiboot 2 alone.
_PLATFORMS: Dict[str, _Platform] = {
    "iso": _Platform(
        Path("/usr/lib/grub/i386-pc"), f"{_MODULES} biosdisk", "grub-pc-bin", "multiboot"
    ),
    "uefi": _Platform(
        Path("/usr/lib/grub/x86_64-efi"), _MODULES, "grub-efi-amd64-bin", "multiboot2"
    ),
}
MADE = (*_PLATFORMS, "bzimage")


def missing(kind: str) -> str:
    """What is not installed here and is needed to make such a medium; empty when all is there."""
    if kind not in _PLATFORMS:
        return ""
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is not installed, which makes its boot medium"
    platform = _PLATFORMS[kind]
    there = platform.grub.is_dir()
    return "" if there else f"{platform.grub} is not installed (Debian: {platform.package})"


def make(
    kind: str, image: Path, words: str, cache: Path, module: str = "", loader: str = ""
) -> Path:
    """`iso`: a CD that boots the image with a command line by BIOS and GRUB; `uefi`: by UEFI;
    `bzimage`: a file that looks like a Linux kernel. CDs may have a module for the image (by
    Multiboot 1, which other suites know), or another of GRUB's loaders than the usual one."""
    text = words if kind == "bzimage" else _config(kind, words, module, loader)
    try:
        digest = hashlib.sha256(image.read_bytes())
        digest.update(b"\0" + text.encode() + b"\0" + module.encode() + b"\0" + kind.encode())
        path = cache / f"{digest.hexdigest()[:24]}.{kind}"
        if path.exists():
            os.utime(path)  # the oldest go first when room is made
            return path
        cache.mkdir(parents=True, exist_ok=True)
        _make_room(cache)
        with tempfile.TemporaryDirectory(prefix=".new.", dir=cache) as folder:
            made = Path(folder) / "made"
            if kind == "bzimage":
                made.write_bytes(bzimage(image.read_bytes()))
            else:
                _make_iso(_PLATFORMS[kind], image, text, module, made)
            # At once, since another thread or run may want the same medium.
            made.replace(path)
    except OSError as error:
        raise UserError(f"cannot make a boot medium in {cache}: {error.strerror}") from None
    return path


def _config(kind: str, words: str, module: str, loader: str) -> str:
    """What GRUB is to do."""
    loader = loader or ("multiboot" if module else _PLATFORMS[kind].loader)
    quoted = " ".join(_quote(word) for word in words.split())
    line = "module /boot/module\n" if module else ""
    return _CONFIG.format(loader=loader, words=quoted, module=line)


def _make_iso(platform: _Platform, image: Path, text: str, module: str, made: Path) -> None:
    tree = made.parent / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    shutil.copyfile(image, tree / "boot" / "image.flat")
    (tree / "boot" / "module").write_text(module, encoding="utf-8")
    (tree / "boot" / "grub" / "grub.cfg").write_text(text, encoding="utf-8")
    command = ["grub-mkrescue", "-d", str(platform.grub)]
    command += [f"--install-modules={platform.modules}"]
    command += [f"--modules={platform.modules}", "--locales=", "--fonts=", "--themes="]
    command += ["-o", str(made), str(tree)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0 or not made.exists():
        lines: List[str] = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UserError(f"grub-mkrescue failed: {lines[-1] if lines else 'it said nothing'}")


def _quote(word: str) -> str:
    """GRUB's language has quotes as a shell has."""
    if any(char in word for char in "'\"$\\;&|{}<>#*?[]"):
        return "'" + word.replace("'", "'\\''") + "'"
    return word


def _make_room(cache: Path) -> None:
    """Removes the media that were not used for longest, above a total size."""
    media = []
    for path in (path for kind in MADE for path in cache.glob(f"*.{kind}")):
        with contextlib.suppress(FileNotFoundError):  # others make room at the same time
            media.append((path.stat().st_mtime, path.stat().st_size, path))
    total = 0
    for _, size, path in sorted(media, reverse=True):
        total += size
        if total > _KEPT:
            path.unlink(missing_ok=True)
