# SPDX-License-Identifier: BSD-2-Clause
"""--gdb: the commands, a guest that somebody ends at gdb, and a hypervisor's own debugger."""

from __future__ import annotations

import unittest
from pathlib import Path

from support import Bench

from runner import adapter, image

_ROOT = Path(__file__).resolve().parents[2]
_GUEST = 'boot(2); case(1, "one"); begin(2, "two"); sys.exit(0)'


class Debugging(Bench):
    def setUp(self) -> None:
        super().setUp()
        self.image("one", ["one", "two"], _GUEST)

    def test_gdb(self) -> None:
        self.adapter("fake", "gdb = ['-gdb', 'tcp::{port}']")
        out = self.expect(0, ["-gdb tcp::"], "one", "--gdb", "--dry-run")
        port = out.partition("-gdb tcp::")[2].split()[0]
        gdb = f"-ex 'target remote 127.0.0.1:{port}' -ex 'thbreak *0x100000' -ex continue"
        self.assertIn(gdb, out)

    def test_a_guest_that_is_ended_at_gdb(self) -> None:
        self.adapter("fake", "gdb = ['{port}']")
        out = self.expect(1, ["the guest waits for gdb", "1 passed, 0 failed"], "one", "--gdb")
        self.assertIn("1 image interrupted", out)
        self.assertNotIn("NOT RUN", out)

    def test_its_own_debugger(self) -> None:
        lines = ["debugger = ['tee', '{tmp}/said', '{tmp}/rc']", "[[file]]", "name = 'rc'"]
        self.adapter("fake", "\n".join([*lines, "lines = ['lb {entry}']"]))
        folder = self.root / "build" / "debugger" / "one@fake"
        out = self.expect(0, [f"tee {folder}/said"], "one", "--gdb", "--dry-run")
        self.assertEqual((folder / "rc").read_text(), "lb 0x100000\n")
        self.assertTrue((folder / "symbols").exists(), out)
        self.adapter("fake")
        self.expect(2, ["fake does not speak to gdb"], "one", "--gdb")

    @unittest.skipIf(not (_ROOT / "x86" / "invlpg.flat").exists(), "no image is built")
    def test_symbols(self) -> None:
        names = image.symbols(_ROOT / "x86" / "invlpg.flat")
        self.assertEqual(names["start"], image.load(_ROOT / "x86" / "invlpg.flat").entry)
        self.assertIn("drops_a_4_kbyte_translation_at_any_offset", names)
        self.assertGreaterEqual(min(names.values()), 0x100000)

    def test_all_of_bochs_have_one(self) -> None:
        for name, one in adapter.load_all().items():
            self.assertEqual(bool(one.debugger), name.startswith("bochs"), name)


if __name__ == "__main__":
    unittest.main()
