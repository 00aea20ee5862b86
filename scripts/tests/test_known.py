# SPDX-License-Identifier: BSD-2-Clause
"""Known failures: those that come and go, and scripts/check/known, which finds what has rotted."""

from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path

from support import Bench

_CHECK = Path(__file__).resolve().parents[1] / "check" / "known"
_REASON = "reason = \"a bug (SDM Vol. 3, 'Accessed and Dirty Flags')\""


class Sometimes(Bench):
    def setUp(self) -> None:
        super().setUp()
        guest = 'boot(2); case(1, "one"); case(2, "two", "fail"); end()'
        self.image("image", ["one", "two"], guest)

    def test_failures_that_come_and_go(self) -> None:
        text = "[[known]]\ncase = 'image/*'\nreason = 'with half of the seeds'\nsometimes = true"
        self.adapter("fake", text)
        out = self.expect(0, ["1 passed, 0 failed, 0 skipped, 1 known in"], "--strict")
        self.assertIn("known on fake: with half of the seeds\n    image/two (failed)", out)
        self.assertNotIn("unexpected", out)

    def test_failures_with_a_message(self) -> None:
        for message, status, counts in (("right", 1, "1 failed"), ("went wrong", 0, "1 known")):
            text = f"[[known]]\ncase = '*/*'\nreason = 'x'\nmessage = '{message}'"
            self.adapter("fake", text)
            self.assertNotIn("unexpected", self.expect(status, [counts], "--strict"))

    def test_only_where_the_case_is_tried(self) -> None:
        text = "[[known]]\ncase = 'image/*'\nreason = 'x'\nsometimes = true\navoid = true"
        self.adapter("fake", text)
        self.expect(2, ["'sometimes' is for cases that are tried"])


class Entries(Bench):
    """Two entries of unittests.cfg run one image; with a second processor its case passes."""

    def setUp(self) -> None:
        super().setUp()
        self.image("image", ["one"], 'boot(1); case(1, "one", "fail"); end()')
        both = 'boot(1); case(1, "one"); end()'
        self.image("image_smp", ["one"], both, "cpus = 2")
        path = self.root / "x86" / "image_smp.flat"
        path.write_bytes((self.root / "x86" / "image.flat").read_bytes())

    def known(self, case: str, more: str = "") -> None:
        text = f"[[known]]\ncase = '{case}/one'\nreason = 'x'\n{more}"
        self.adapter("fake", f"offers = ['cpus']\n{text}")

    def test_an_entry_names_the_image(self) -> None:
        self.known("image")
        self.expect(0, ["1 known, 1 unexpected pass"])

    def test_up_to_so_many_processors(self) -> None:
        self.known("image", "most_cpus = 1")
        self.assertNotIn("unexpected", self.expect(0, ["1 passed, 0 failed, 0 skipped, 1 known"]))

    def test_an_entry_names_an_entry_of_the_catalog(self) -> None:
        self.known("image_smp")
        self.expect(1, ["1 failed, 0 skipped, 1 unexpected pass"])


class Rot(Bench):
    def check(self, text: str) -> str:
        """What is wrong with this list."""
        folder = self.root / "hypervisors"
        (folder / "known").mkdir(exist_ok=True)
        (folder / "known" / "fake.toml").write_text(text, encoding="utf-8")
        image = self.image("image", ["one", "two"], "")
        done = subprocess.run(
            [sys.executable, str(_CHECK), "--hypervisors", str(folder), str(image)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 1 if done.stderr else 0, done.stderr)
        return done.stderr

    def test_lists(self) -> None:
        one, both, gone = (f"[[known]]\ncase = 'image/{c}'\n" for c in ("one", "*", "three"))
        self.assertEqual(self.check(f"{one}{_REASON}\n{both}{_REASON}"), "")
        self.assertIn("image/three: there is no such case", self.check(f"{gone}{_REASON}"))
        self.assertIn("image/one: its reason names no section", self.check(f"{one}reason = 'x'"))
        self.assertIn(
            "image/one: entries before it", self.check(f"{both}{_REASON}\n{one}{_REASON}")
        )
        old = "versions = '<7'\n"
        self.assertEqual(self.check(f"{both}{_REASON}\n{old}{one}{_REASON}"), "")
        self.assertIn("'reason' is missing", self.check(one))
        self.assertIn("is not of the form '<8.0'", self.check(f"{one}{_REASON}\nversions = 'old'"))


if __name__ == "__main__":
    unittest.main()
