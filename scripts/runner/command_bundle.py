# SPDX-License-Identifier: BSD-2-Clause
"""./run bundle: images and the runner in one executable file, for another machine."""

from __future__ import annotations

import argparse
import configparser
import io
import shutil
import sys
import tempfile
import zipapp
from pathlib import Path
from typing import List

from . import options, selection
from .command import Tree
from .errors import UserError
from .selection import Selected
from .terminal import Terminal

# What runs first in the file. It unpacks itself, since hypervisors want images as files.
_MAIN = '''\
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the images of this file; --help says how."""

import sys
import tempfile
import zipfile
from pathlib import Path


def main() -> int:
    archive = Path(__file__).parent
    with tempfile.TemporaryDirectory(prefix="shadowbox-") as folder:
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)
        sys.path.insert(0, folder)
        sys.dont_write_bytecode = True
        from runner import bundled
        return bundled.main(Path(folder), sys.argv[0])


sys.exit(main())
'''


def parser() -> argparse.ArgumentParser:
    """The words of this command."""
    made = options.Parser(
        prog="run bundle",
        description="Writes one executable file that holds images and the runner. It needs a Python"
        " 3.9 or later and a hypervisor, takes the options of ./run, and logs to ./shadowbox-logs.",
        allow_abbrev=False,
    )
    add = made.add_argument
    add("images", nargs="+", metavar="IMAGE", help="x86/NAME.flat, or a name from unittests.cfg")
    add("-o", "--output", default="", metavar="FILE", help="NAME.pyz, or shadowbox.pyz")
    return made


def main(argv: List[str], tree: Tree) -> int:
    """Writes the file and says how large it became."""
    own = parser().parse_intermixed_args(argv)
    images = selection.select(tree.root / "unittests.cfg", own.images, [], [])
    name = images[0].entry.name if len(images) == 1 else "shadowbox"
    output = Path(own.output or f"{name}.pyz")
    try:
        with tempfile.TemporaryDirectory(prefix="shadowbox-") as folder:
            _fill(Path(folder), images, tree)
            zipapp.create_archive(folder, output, "/usr/bin/env python3", compressed=True)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}") from None
    count = f"{len(images)} image{'s' if len(images) > 1 else ''}"
    Terminal(sys.stdout).say(f"{output}: {count}, {output.stat().st_size // 1024} KBytes")
    return 0


def _fill(folder: Path, images: List[Selected], tree: Tree) -> None:
    """A small tree with what these images need."""
    runner = Path(__file__).parent
    skip = shutil.ignore_patterns("__pycache__", "command_bundle.py", "hypervisors")
    shutil.copytree(runner, folder / "runner", ignore=skip)
    shutil.copytree(tree.hypervisors, folder / "runner" / "hypervisors")
    (folder / "x86").mkdir()
    for item in images:
        shutil.copyfile(item.entry.file, folder / "x86" / f"{item.entry.name}.flat")
    (folder / "unittests.cfg").write_text(_catalog(images, tree), encoding="utf-8")
    (folder / "__main__.py").write_text(_MAIN, encoding="utf-8")
    licence = tree.root / "LICENSE"
    if licence.exists():
        shutil.copyfile(licence, folder / "LICENSE")


def _catalog(images: List[Selected], tree: Tree) -> str:
    """The sections of these images; their files lie where a catalog looks by itself."""
    config = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    config.read(tree.root / "unittests.cfg", encoding="utf-8")
    kept = configparser.ConfigParser(interpolation=None)
    for item in images:
        name = item.entry.name
        kept[name] = dict(config[name]) if config.has_section(name) else {}
        kept.remove_option(name, "file")
    text = io.StringIO()
    kept.write(text)
    return text.getvalue()
