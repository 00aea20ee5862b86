# SPDX-License-Identifier: BSD-2-Clause
"""What the runner itself takes, time and memory; and readers of its output that go away."""

from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path
from typing import List, Tuple

from support import Bench

_SCRIPTS = Path(__file__).resolve().parents[1]
_RUN = """\
import resource, sys
sys.path.insert(0, {scripts!r})
from pathlib import Path
from runner import cli
status = cli.main({argv!r}, Path({root!r}), Path({root!r}) / "hypervisors")
used = resource.getrusage(resource.RUSAGE_SELF)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
sys.exit(status)
"""
_REPORT = ["TAP version 14", "1..2", "# begin one", "ok 1 - one", "# checks 1", "# begin two"]
_REPORT += ["ok 2 - two", "# checks 1", "# end passed=2 failed=0 skipped=0 checks=2"]
_MOST_SECONDS = 0.05  # of CPU time for an image: its wall time depends on who else is busy
_MOST_KBYTES = 20  # kept for an image: its result, and nothing of its console


class Costs(Bench):
    def setUp(self) -> None:
        super().setUp()
        self.image("one", ["one", "two"], "")
        report = self.root / "report"
        report.write_text("".join(line + "\n" for line in _REPORT), encoding="utf-8")
        path = self.root / "hypervisors" / "fake.toml"
        lines = ["description = 'a report'", "program = 'cat'", f"command = ['cat', '{report}']"]
        path.write_text("\n".join([*lines, "auto = 1"]) + "\n", encoding="utf-8")

    def program(self, argv: List[str]) -> List[str]:
        text = _RUN.format(scripts=str(_SCRIPTS), argv=argv, root=str(self.root))
        return [sys.executable, "-c", text]

    def used(self, count: int) -> Tuple[float, int]:
        """CPU seconds and KBytes of a run of so many images."""
        words = ["-j1", "-q", "--repeat", str(count)]
        done = subprocess.run(self.program(words), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{2 * count} passed", done.stdout)
        _, seconds, kbytes = done.stderr.split()[-3:]
        return float(seconds), int(kbytes)

    def test_time_and_memory(self) -> None:
        few, many = 20, 320
        (seconds_few, memory_few), (seconds, memory) = self.used(few), self.used(many)
        self.assertLess((seconds - seconds_few) / (many - few), _MOST_SECONDS)
        self.assertLess((memory - memory_few) / (many - few), _MOST_KBYTES)

    @unittest.skipUnless(Path("/dev/full").exists(), "no /dev/full here")
    def test_output_on_a_full_disk(self) -> None:
        for words in (["one"], ["--list"]):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run(
                    self.program(words), stdout=full, stderr=-1, text=True, check=False
                )
            self.assertEqual(done.returncode, 2)
            said = done.stderr.splitlines()[0]
            self.assertEqual(said, "run: cannot write the output: No space left on device")
            self.assertNotIn("Traceback", done.stderr)

    def test_a_reader_that_goes_away(self) -> None:
        with subprocess.Popen(self.program(["one", "-v"]), stdout=-1, stderr=-1) as process:
            assert process.stdout and process.stderr
            process.stdout.close()
            said = process.stderr.read().decode()
            self.assertEqual(process.wait(), 1, said)
        self.assertEqual(len(said.splitlines()), 1, said)


if __name__ == "__main__":
    unittest.main()
