# SPDX-License-Identifier: BSD-2-Clause
"""docs/ci.md: git bisect over a hypervisor's tree, the Avocado wrapper, and the recipes' syntax."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import List

from support import Bench

from runner import options

_ROOT = Path(__file__).resolve().parents[2]
_DOCUMENT = _ROOT / "docs" / "ci.md"
_GUEST = 'boot(1); case(1, "one", open({flag!r}).read().strip()); end()'


class Bisect(Bench):
    """A "hypervisor" whose source is one file: what its guest's case will say."""

    def git(self, *words: str, status: int = 0) -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            environment.update({f"GIT_{who}_NAME": "x", f"GIT_{who}_EMAIL": "x@example.org"})
        done = subprocess.run(
            ["git", "-c", "init.defaultBranch=main", *words],
            cwd=self.root / "vmm",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        out = done.stdout.decode()
        self.assertEqual(done.returncode, status, out)
        return out

    def commit(self, source: str, message: str) -> None:
        (self.root / "vmm" / "source").write_text(source + "\n", encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def run_script(self) -> Path:
        """./run for this test's tree."""
        script = self.root / "run"
        text = f"""\
import sys
from pathlib import Path
sys.path.insert(0, {str(_ROOT / "scripts")!r})
from runner import cli
root = Path({str(self.root)!r})
sys.exit(cli.main(sys.argv[1:], root, root / "hypervisors"))
"""
        script.write_text(text, encoding="utf-8")
        return script

    @unittest.skipIf(shutil.which("git") is None, "there is no git")
    def test_the_worked_example(self) -> None:
        (self.root / "vmm").mkdir()
        built = self.root / "vmm" / "built"
        self.image("image", ["one"], _GUEST.format(flag=str(built)))
        self.git("init", "-q")
        (self.root / "vmm" / ".gitignore").write_text("built\n", encoding="utf-8")
        for number, source in enumerate(["ok", "ok", "broken", "ok", "fail", "fail", "fail"]):
            self.commit(source, f"commit {number}")
        self.git("bisect", "start", "HEAD", "HEAD~6")
        # A commit that does not build is skipped, and no commit is blamed for it.
        build = "! grep -q broken source && cp source built"
        words = [sys.executable, str(self.run_script()), "--bisect", "--build", build, "image"]
        out = self.git("bisect", "run", *words)
        self.assertIn("is the first bad commit", out)
        self.assertRegex(out, r"first bad commit\n(?s:.*)commit 4")

    def test_avocado_wrapper(self) -> None:
        """Avocado takes any program: its status is the verdict, and 77 no failure of ours."""
        self.image("good", ["one"], 'boot(1); case(1, "one"); end()')
        self.image("bad", ["one"], 'boot(1); case(1, "one", "fail"); end()')
        self.image("skips", ["one"], 'boot(1); case(1, "one", "skip"); end()')
        for name, status in (("good", 0), ("bad", 1), ("skips", 77)):
            command = [sys.executable, str(self.run_script()), name]
            done = subprocess.run(command, cwd=self.root, capture_output=True, check=False)
            self.assertEqual(done.returncode, status, done.stdout.decode())


class Recipes(unittest.TestCase):
    def blocks(self, kind: str) -> List[str]:
        text = _DOCUMENT.read_text(encoding="utf-8")
        return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)

    def test_every_command_parses(self) -> None:
        """A recipe with an option that ./run does not have would fail on somebody else's farm."""
        text = _DOCUMENT.read_text(encoding="utf-8").replace("\\\n", " ")
        commands = re.findall(r"(?:^|[\s'\"`])(\./run [^`'\n|&;#)]*)", text)
        self.assertGreater(len(commands), 8)
        for command in commands:
            words = re.sub(r"\$\{\{.*?\}\}|\$\{?\w+\}?", "1", command)
            words = re.sub(r"1/1\b", "1/2", words)
            own = [word for word in shlex.split(words)[1:] if word != "..."]
            if own and own[0] in ("compare", "doctor", "bundle"):
                continue
            with self.subTest(command=command):
                self.assertIsInstance(options.parse(own)[0], argparse.Namespace)

    def test_the_python_in_it_compiles(self) -> None:
        blocks = self.blocks("python")
        self.assertTrue(blocks)
        for block in blocks:
            compile(block, str(_DOCUMENT), "exec")

    def test_no_tabs_in_yaml(self) -> None:
        blocks = self.blocks("yaml")
        self.assertGreaterEqual(len(blocks), 3)
        for block in blocks:
            self.assertNotIn("\t", block)
            indents = [len(line) - len(line.lstrip()) for line in block.splitlines() if line]
            self.assertTrue(all(indent % 2 == 0 for indent in indents), block)

    def test_lava_reads_tap(self) -> None:
        """The document's own script, with a lava-test-case that prints."""
        block = next(block for block in self.blocks("yaml") if "lava-test-case" in block)
        script = "sed -nE" + block.partition("sed -nE")[2]
        tap = "    ok 1 - one\n    not ok 2 - two\n    ok 3 - three # SKIP needs x: y\nok 1 - i@h\n"
        with tempfile.TemporaryDirectory() as folder:
            fake = Path(folder) / "lava-test-case"
            fake.write_text('#!/bin/sh\necho "$*"\n', encoding="utf-8")
            fake.chmod(0o755)
            (Path(folder) / "results.tap").write_text(tap, encoding="utf-8")
            path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
            out = subprocess.check_output(["sh", "-c", script], cwd=folder, env=path).decode()
        wanted = ["one --result pass", "two --result fail", "three --result skip"]
        self.assertEqual(out.splitlines(), wanted)


if __name__ == "__main__":
    unittest.main()
