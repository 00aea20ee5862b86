# SPDX-License-Identifier: BSD-2-Clause
"""One file for another machine; completion and the manual page that are made from the options."""

from __future__ import annotations

import shutil
import subprocess
import sys
import unittest
from pathlib import Path
from typing import List

from support import Bench

from runner import completion, manual, options
from runner.command import COMMANDS

_GOOD = 'boot(2); case(1, "one"); case(2, "two"); end()'
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "run.1"


class Bundle(Bench):
    def test_it_runs_elsewhere(self) -> None:
        self.image("good", ["one", "two"], "boot(2); case(1, 'one'); case(2, 'two', 'fail'); end()")
        self.image("other", ["one"], _GOOD)
        # The pretended guest's lines stand beside its image, which the bundle unpacks elsewhere.
        path = self.root / "hypervisors" / "fake.toml"
        text = path.read_text(encoding="utf-8")
        text = text.replace("{image}", str(self.root / "x86" / "good.flat"))
        path.write_text(text, encoding="utf-8")
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir()
        file = elsewhere / "good.pyz"
        self.expect(0, ["good.pyz: 1 image, "], "bundle", "good", "-o", str(file))
        done = subprocess.run(
            [sys.executable, str(file)], cwd=elsewhere, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("1 passed, 1 failed", done.stdout)
        self.assertIn(f"{file} good --case two --on fake", done.stdout)
        self.assertTrue((elsewhere / "shadowbox-logs" / "last" / "good@fake").is_dir())
        self.assertTrue(file.stat().st_mode & 0o100)

    def test_usage(self) -> None:
        self.image("good", ["one"], _GOOD)
        self.expect(2, ["nothing: there is no such image"], "bundle", "nothing")
        self.expect(2, ["cannot write /no/where: No such"], "bundle", "good", "-o", "/no/where")


class Completion(unittest.TestCase):
    def complete(self, *words: str) -> List[str]:
        """What bash would offer for the last word."""
        text = completion.script("bash", options.parser())
        root = Path(__file__).resolve().parents[2]
        given = " ".join(f"'{word}'" for word in (f"{root}/run", *words))
        text += f"COMP_WORDS=({given}); COMP_CWORD={len(words)}; _shadowbox_run\n"
        text += 'printf "%s\\n" "${COMPREPLY[@]}"\n'
        done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_bash(self) -> None:
        self.assertEqual(self.complete("--sha"), ["--shard"])
        self.assertEqual(self.complete("invlp"), ["invlpg", "invlpg_large_pages"])
        self.assertEqual(self.complete("--on", "qemu-t"), ["qemu-tcg"])
        self.assertEqual(self.complete("-g", "inval"), ["invalidation"])
        self.assertEqual(self.complete("compar"), ["compare"])
        self.assertEqual(self.complete("compare", "--slow-"), ["--slow-fails"])
        self.assertEqual(self.complete("--completion", "f"), ["fish"])

    def test_every_shell_takes_its_script(self) -> None:
        for shell in completion.SHELLS:
            text = completion.script(shell, options.parser())
            self.assertIn("shard", text)
            for name in COMMANDS:
                self.assertIn(name, text)
            program = shutil.which(shell)
            if program is not None:
                done = subprocess.run(
                    [program, "-n"], input=text, capture_output=True, text=True, check=False
                )
                self.assertEqual((done.returncode, done.stderr), (0, ""), shell)


class Manual(unittest.TestCase):
    def test_page_is_up_to_date(self) -> None:
        page = manual.page()
        self.assertEqual(_PAGE.read_text(encoding="utf-8"), page, "run 'make man'")
        for action in completion.options_of(options.parser()):
            for name in action.option_strings:
                self.assertIn(name.replace("-", "\\-"), page)

    def test_help_of_commands(self) -> None:
        for parser in completion.parsers(options.parser()).values():
            self.assertIn("--help", parser.format_help())


if __name__ == "__main__":
    unittest.main()
