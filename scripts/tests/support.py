# SPDX-License-Identifier: BSD-2-Clause
"""What the tests share: image files without a guest in them, and hypervisors that only pretend.

A fake hypervisor is a small Python program. It runs the lines that stand in a file beside the
image, so each test writes down what "the guest" does, for every launch.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import List, Sequence, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from runner import cli, processes  # noqa: E402
from runner.launch import Ending  # noqa: E402
from runner.protocol import Parser  # noqa: E402
from runner.result import Account, ImageResult  # noqa: E402

GOLDEN = Path(__file__).parent / "golden"
FAKE = Path(__file__).parent / "fake.py"


def has_pty() -> bool:
    """Whether this machine has ptys: a bare chroot, for one, has none."""
    try:
        for descriptor in os.openpty():
            os.close(descriptor)
    except OSError:
        return False
    return True


def elf(
    cases: Sequence[Tuple[str, str]], name: str = "image", summary: str = "", bugs: bytes = b""
) -> bytes:
    """A 64-bit ELF file with a .shadowbox section and `bugs` in .sabotage. A case: name, needs."""
    record = ["@image", name, summary, "", ""]
    for case, needs in cases:
        record += ["@case", case, f"promise of {case}", "SDM, a section", needs, "x.c:7"]
    section = b"".join(word.encode() + b"\0" for word in record)
    names = b"\0.shadowbox\0.shstrtab\0.sabotage\0"
    at = 64
    table = at + len(section) + len(names) + len(bugs)
    header = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x100000, 0, table, 0, 64, 0, 0, 64, 4, 2)
    headers = struct.pack("<IIQQQQIIQQ", *[0] * 10)
    headers += struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, at, len(section), 0, 0, 1, 0)
    headers += struct.pack("<IIQQQQIIQQ", 12, 3, 0, 0, at + len(section), len(names), 0, 0, 1, 0)
    behind = at + len(section) + len(names)
    headers += struct.pack("<IIQQQQIIQQ", 22, 1, 0, 0, behind, len(bugs), 0, 0, 1, 0)
    return header + section + names + bugs + headers


def judge(data: bytes, ending: Ending, names: Sequence[str] = (), resume: int = 0) -> ImageResult:
    """The verdict on one console log, as if nothing was started again."""
    parser = Parser(resume)
    parser.feed(data)
    report = parser.finish()
    if report.boots > 1:
        ending = Ending("reset", "the guest booted a second time")
    account = Account(names)
    account.add(report, ending, Path("."))
    result = ImageResult("image", "fake", "1.0", Path("."))
    result.planned, result.problems = account.planned, account.problems
    result.cases = account.cases(interrupted=False)
    return result


def is_gone(pid: int) -> bool:
    """A killed process takes a moment; a zombie that nobody waits for counts as gone."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return True
        if text.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


class Bench(unittest.TestCase):
    """A tree of its own for each test: a catalog, images, hypervisors, logs."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="shadowbox-test-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        (self.root / "x86").mkdir()
        (self.root / "hypervisors").mkdir()
        self.config = self.root / "unittests.cfg"
        self.config.write_text("", encoding="utf-8")
        for name in ("QEMU", "BOCHS", "ACCEL", "TIMEOUT"):
            os.environ.pop(name, None)
        processes.interrupted.clear()
        self.adapter("fake")

    def adapter(self, name: str, text: str = "", auto: int = 10) -> None:
        """A hypervisor that runs fake.py; `text` are further lines of its file, keys first."""
        words = [sys.executable, "-S", "-E", str(FAKE), "{image}", "{args}", "{tmp}"]
        command = ", ".join(f"'{word}'" for word in words)
        lines = [
            "description = 'pretends'",
            f"program = '{sys.executable}'",
            f"auto = {auto}",
            f"command = [{command}]",
        ]
        path = self.root / "hypervisors" / f"{name}.toml"
        path.write_text("\n".join(lines) + "\n" + text + "\n", encoding="utf-8")

    def image(
        self, name: str, cases: Sequence[str], guest: str, config: str = "", needs: str = ""
    ) -> Path:
        """An image in the catalog; `guest` is what happens when it is launched."""
        path = self.root / "x86" / f"{name}.flat"
        path.write_bytes(elf([(case, needs) for case in cases], name, f"about {name}"))
        Path(f"{path}.guest").write_text(guest, encoding="utf-8")
        with self.config.open("a", encoding="utf-8") as file:
            file.write(f"[{name}]\n{config}\n")
        return path

    def run_cli(self, *argv: str) -> Tuple[int, str]:
        """Status and output of ./run, standard error included."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = cli.main(list(argv), self.root, self.root / "hypervisors")
        return status, out.getvalue()

    def expect(self, status: int, needles: List[str], *argv: str) -> str:
        """Runs, and looks for texts in the output."""
        got, out = self.run_cli(*argv)
        self.assertEqual(got, status, out)
        for needle in needles:
            self.assertIn(needle, out)
        return out
