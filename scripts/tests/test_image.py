# SPDX-License-Identifier: BSD-2-Clause
"""Reading images: cases without booting, names for addresses, boot media."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import elf

from runner import image, media
from runner.errors import UserError


class Images(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "image.flat"

    def test_cases(self) -> None:
        self.path.write_bytes(elf([("one", "la57 pku"), ("two", "")], "ept", "about"))
        found = image.load(self.path)
        self.assertEqual((found.name, found.summary, found.entry), ("ept", "about", 0x100000))
        self.assertEqual([case.name for case in found.cases], ["one", "two"])
        self.assertEqual(found.cases[0].needs, ("la57", "pku"))
        self.assertEqual(found.cases[1].needs, ())
        self.assertEqual(found.cases[1].where, "x.c:7")
        self.assertEqual([case.name for case in found.select(["t*", "x"])], ["two"])

    def test_broken_files_are_clear_errors(self) -> None:
        whole = elf([("one", "x"), ("two", "")])
        rng = random.Random(3)
        for round_ in range(400):
            broken = bytearray(whole[: rng.randrange(len(whole))] if round_ % 2 else whole)
            for _ in range(3):
                if broken:
                    broken[rng.randrange(len(broken))] = rng.randrange(256)
            self.path.write_bytes(bytes(broken))
            try:
                image.load(self.path)
            except UserError as error:
                self.assertIn(str(self.path), str(error))

    def test_missing_file(self) -> None:
        with self.assertRaises(UserError):
            image.load(self.path)

    @unittest.skipUnless(shutil.which("gcc") and shutil.which("addr2line"), "no compiler")
    def test_return_addresses_get_names(self) -> None:
        source = self.folder / "t.c"
        source.write_text("int f(int);\nint g(void)\n{\n\treturn f(1) + 1;\n}\n", encoding="utf-8")
        subprocess.run(["gcc", "-g", "-O0", "-c", "t.c"], cwd=self.folder, check=True)
        dump = subprocess.run(
            ["objdump", "-d", "t.o"], cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        call = next(number for number, line in enumerate(dump) if "call" in line)
        address = int(dump[call + 1].split(":")[0], 16)
        frames = image.symbolise(self.folder / "t.o", [address])
        self.assertEqual(frames[0].function, "g")
        self.assertEqual(frames[0].address, address)
        self.assertTrue(frames[0].where.endswith("t.c:4"), frames[0].where)

    @unittest.skipIf(media.missing("iso"), media.missing("iso"))
    def test_rescue_iso_is_made_once(self) -> None:
        self.path.write_bytes(elf([("one", "")]))
        cache = self.folder / "cache"
        first = media.make("iso", self.path, "case='x y", cache)
        made = first.stat().st_mtime_ns
        second = media.make("iso", self.path, "case='x y", cache)
        self.assertEqual(first, second)
        self.assertNotEqual(first, media.make("iso", self.path, "resume=1", cache))
        self.assertIn(b"multiboot /boot/image.flat 'case='\\''x' y\n", first.read_bytes())
        self.assertLess(first.stat().st_size, 4 << 20)
        self.assertGreaterEqual(second.stat().st_mtime_ns, made)
        self.assertEqual([p.name for p in cache.glob(".new.*")], [])


if __name__ == "__main__":
    unittest.main()
