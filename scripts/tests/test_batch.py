# SPDX-License-Identifier: BSD-2-Clause
"""Many images on one outer machine, each judged as if it was launched alone."""

from __future__ import annotations

import os
import sys
import unittest
from pathlib import Path

from support import Bench, is_gone

_OUTER = Path(__file__).parent / "fake_outer.py"
_GUEST = Path(__file__).resolve().parents[1] / "nested" / "guest"
_GOOD = 'boot(2); case(1, "one", checks=3); case(2, "two", checks=4); end()'
_BAD_SECOND = """
boot(3)
case(1, "one")
if begin(2, "two"):
    {accident}
case(3, "three")
end()
"""


class Batch(Bench):
    def setUp(self) -> None:
        super().setUp()
        command = ["{python}", str(_GUEST), "{outer}", "{image}", "{memory}", "{cpus}", "{args}"]
        lines = [
            "description = 'pretends'",
            f"program = '{sys.executable}'",
            f"batch = ['{{program}}', '{_OUTER}', '{self.root / 'x86'}']",
            f"command = [{', '.join(repr(word) for word in command)}]",
            "[[symptom]]",
            "kind = 'crashed'",
            "where = 'stderr'",
            "pattern = 'nested: '",
            "text = 'it died'",
        ]
        path = self.root / "hypervisors" / "outer.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def starts(self) -> "list[int]":
        """The process ids of all outer machines that were started."""
        return [int(line) for line in (self.root / "x86" / "starts").read_text().split()]

    def accident(self, line: str, needles: "list[str]", config: str = "") -> None:
        cases = ["one", "two", "three"]
        self.image("bad", cases, _BAD_SECOND.format(accident=line), config)
        self.image("good", ["one", "two"], _GOOD)
        needles = ["4 passed, 1 failed", "passed   good@outer", *needles]
        self.expect(1, needles, "--on", "outer", "-j", "1")

    def test_one_machine_serves_all_images_and_is_gone_at_the_end(self) -> None:
        for name in ("a", "b", "c"):
            self.image(name, ["one", "two"], _GOOD)
        self.expect(0, ["6 passed, 0 failed", "on outer"], "--on", "outer", "-j", "1")
        (pid,) = self.starts()
        self.assertTrue(is_gone(pid))
        left = os.listdir(self.root / "logs" / "last" / "outer-1@outer")
        self.assertEqual(sorted(left), ["command", "kernel.log", "stderr.log"])

    def test_images_at_the_same_time_have_a_machine_each(self) -> None:
        slow = "import time; time.sleep(0.5)\n" + _GOOD
        for name in ("a", "b"):
            self.image(name, ["one", "two"], slow)
        self.expect(0, ["4 passed"], "--on", "outer", "-j", "2")
        self.assertEqual(len(self.starts()), 2)

    def test_a_hung_guest_is_ended_and_the_machine_goes_on(self) -> None:
        self.accident("time.sleep(60)", ["HUNG bad/two"], "silence = 1")
        self.assertEqual(len(self.starts()), 1)

    def test_a_dead_guest_is_told_why(self) -> None:
        self.accident("sys.exit(99)", ["CRASHED bad/two", "triple fault; rip=0"])
        self.assertEqual(len(self.starts()), 1)

    def test_a_dead_machine_is_replaced(self) -> None:
        line = "time.sleep(0.3); os.kill(os.getppid(), 9); time.sleep(60)"
        self.accident(line, ["CRASHED bad/two", "the outer machine is gone"])
        self.assertEqual(len(self.starts()), 2)

    def test_a_launch_that_met_a_stopped_machine_is_made_again(self) -> None:
        first = """
if not os.path.exists("../stopped"):
    open("../stopped", "w").close()
    os.kill(os.getppid(), 19)
    time.sleep(3)
    os.kill(os.getppid(), 9)
    sys.exit(0)
"""
        self.image("good", ["one", "two"], first + _GOOD, "silence = 1")
        self.expect(0, ["2 passed, 0 failed"], "--on", "outer", "-j", "1")
        self.assertEqual(len(self.starts()), 2)

    def test_words_of_the_kernel_are_shown(self) -> None:
        line = "open('kernel.log', 'a').write('WARNING: at mmu.c:1\\n'); sys.exit(99)"
        self.accident(line, ["the kernel says: WARNING: at mmu.c:1"])

    def test_every_byte_comes_through(self) -> None:
        guest = 'boot(1); say("# \\x10ended exit 0", "# a\\x10\\x10b"); case(1, "one"); end()'
        self.image("bytes", ["one"], guest)
        self.expect(0, ["1 passed"], "--on", "outer", "bytes")
        log = self.root / "logs" / "last" / "bytes@outer" / "console.log"
        self.assertIn(b"# \x10ended exit 0\n# a\x10\x10b\n", log.read_bytes())

    def test_a_machine_that_never_gets_ready(self) -> None:
        self.image("good", ["one", "two"], _GOOD)
        (self.root / "x86" / "broken").touch()
        self.expect(2, ["outer: the outer machine is gone", "no such processor"], "--on", "outer")

    def test_dry_run_shows_both_commands(self) -> None:
        self.image("good", ["one", "two"], _GOOD)
        out = self.expect(0, ["fake_outer.py", "nested/guest"], "--on", "outer", "--dry-run")
        self.assertEqual(len(out.splitlines()), 2)
        self.assertFalse((self.root / "x86" / "starts").exists())


if __name__ == "__main__":
    unittest.main()
