# SPDX-License-Identifier: BSD-2-Clause
"""scripts/differ: two programs that pretend to be QEMU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import List

from support import FAKE, Bench

_SCRIPTS = Path(__file__).resolve().parents[1]
_RUN = """\
import sys
sys.path.insert(0, '{scripts}')
from pathlib import Path
from runner import cli
sys.exit(cli.main(None, Path('{root}'), Path('{root}/hypervisors')))
"""


class Differ(Bench):
    def setUp(self) -> None:
        super().setUp()
        self.image("good", ["one", "two"], "boot(2); case(1, 'one'); case(2, 'two', BAD); end()")
        for name in ("ok", "fail"):
            self.program(name)
        self.run_file = self.root / "run"
        text = _RUN.format(scripts=_SCRIPTS, root=self.root)
        self.run_file.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
        self.run_file.chmod(0o755)
        (self.root / "hypervisors" / "qemu-tcg.toml").write_text(
            "description = 'pretends'\nprogram = 'nothing'\noverride = 'QEMU'\nauto = 5\n"
            "command = ['{program}', '{image}', '{args}', '{tmp}']\n",
            encoding="utf-8",
        )

    def program(self, name: str) -> None:
        """fake.py, in which BAD is the result of the second case."""
        lines = FAKE.read_text(encoding="utf-8").replace("counts =", f"BAD = '{name}'\ncounts =", 1)
        path = self.root / name
        path.write_text(f"#!{sys.executable}\n{lines}", encoding="utf-8")
        path.chmod(0o755)

    def differ(self, status: int, *names: str) -> List[str]:
        words = [str(self.root / name) for name in names]
        command = [sys.executable, str(_SCRIPTS / "differ"), "--run", str(self.run_file), *words]
        done = subprocess.run(
            [*command, "--", "good"], capture_output=True, text=True, check=False, env=os.environ
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return (done.stdout + done.stderr).splitlines()

    def test_what_differs(self) -> None:
        wanted = ["good/two: passed -> failed", "1 of 2 differ"]
        self.assertEqual(self.differ(1, "ok", "fail"), wanted)
        self.assertEqual(self.differ(0, "fail", "fail"), ["0 of 2 differ"])
        os.environ["QEMU"] = str(self.root / "fail")
        self.addCleanup(os.environ.pop, "QEMU", None)
        self.assertEqual(self.differ(1, "ok")[0], "good/two: failed -> passed")
        self.assertIn("under", self.differ(2, "ok", "nowhere")[-1])
