# SPDX-License-Identifier: BSD-2-Clause
"""Options, selection, and what a user sees when something is wrong."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from support import Bench, has_pty, is_gone

_GOOD = 'boot(2); case(1, "one"); case(2, "two"); end()'
_SCRIPTS = Path(__file__).resolve().parents[1]


class Usage(Bench):
    def one_line(self, needle: str, *argv: str) -> None:
        out = self.expect(2, [needle], *argv)
        self.assertEqual(out.count("\n"), 1, out)

    def test_one_clear_line_and_status_2(self) -> None:
        self.one_line("lists no images")
        self.image("good", ["one", "two"], _GOOD, "groups = quick")
        self.one_line("unrecognized arguments: --nonsense", "--nonsense")
        self.one_line("unknown hypervisor 'vax' (known: auto, fake)", "--on", "vax")
        self.one_line("nothing.flat: there is no such image", "nothing.flat")
        self.one_line("no case matches zzz", "--case", "zzz")
        self.one_line("no image is in group 'slow'", "-g", "slow")
        self.one_line("'0' is no number from 1 on", "-j", "0")
        self.one_line("is no number above 0", "--timeout-scale", "-1")
        self.one_line("is no 64-bit number", "--seed", "x")

    def test_missing_program(self) -> None:
        self.image("good", ["one", "two"], _GOOD)
        self.adapter("gone")
        path = self.root / "hypervisors" / "gone.toml"
        text = path.read_text(encoding="utf-8").replace(f"'{sys.executable}'\n", "'gone'\n", 1)
        path.write_text(text + "override = 'QEMU'\n", encoding="utf-8")
        self.one_line("gone cannot be used here: gone is not installed", "--on", "gone")
        os.environ["QEMU"] = "/nowhere/qemu"
        self.one_line("/nowhere/qemu (from $QEMU) is not installed", "--on", "gone")
        self.expect(0, ["(not gone: /nowhere/qemu (from $QEMU) is not installed)"])

    def test_broken_image(self) -> None:
        self.image("good", ["one"], _GOOD).write_bytes(b"\x7fELF\2\1 nonsense")
        self.one_line("good.flat: is no ELF image")

    def test_missing_image(self) -> None:
        self.image("good", ["one"], _GOOD).unlink()
        self.one_line("unittests.cfg:1: [good]:")

    def test_broken_catalog_and_adapter(self) -> None:
        self.image("good", ["one", "two"], _GOOD, "colour = red")
        self.one_line("unittests.cfg:2: unknown key 'colour'")
        self.config.write_text("[good]\n", encoding="utf-8")
        self.adapter("fake", "colour = 'red'")
        self.one_line("fake.toml:5: unknown key 'colour'")

    def test_unwritable_logs(self) -> None:
        self.image("good", ["one", "two"], _GOOD)
        (self.root / "logs").write_text("a file", encoding="utf-8")
        self.expect(2, ["cannot write logs to"])

    def test_environment(self) -> None:
        self.image("good", ["one", "two"], _GOOD + "; time.sleep(60)" if 0 else _GOOD)
        os.environ["ACCEL"] = "tcg"
        self.one_line("unknown hypervisor 'qemu-tcg'")
        os.environ["ACCEL"] = "vax"
        self.one_line("ACCEL is 'vax'")
        del os.environ["ACCEL"]
        os.environ["TIMEOUT"] = "soon"
        self.one_line("TIMEOUT is 'soon'")
        self.image("slow", ["one"], "boot(1); begin(1, 'one'); time.sleep(60)")
        os.environ["TIMEOUT"] = "1s"
        self.expect(1, ["limit of 1 s"], "slow")

    def test_nobody_offers_what_the_image_needs(self) -> None:
        self.image("nested", ["one"], _GOOD, "needs = vmx")
        self.expect(77, ["skipped nested: needs vmx, which fake does not offer"])
        self.assertNotIn("skipped nested", self.expect(77, [], "--quiet"))
        for name in ("b", "c", "d"):
            self.image(name, ["one"], _GOOD, "needs = vmx")
        self.expect(77, ["skipped 4 images: needs vmx, which fake does not offer"])
        self.expect(77, ["skipped c: needs vmx, which fake does not offer"], "--verbose")
        self.expect(1, ["missing need 4 images: needs vmx"], "--quiet", "--require", "vmx")


class Selection(Bench):
    def setUp(self) -> None:
        super().setUp()
        self.image("a", ["one", "two"], _GOOD, "groups = quick")
        self.image("b", ["other"], 'boot(1); case(1, "other"); end()', "groups = slow", "la57")

    def test_list_boots_nothing(self) -> None:
        out = self.expect(
            0, ["a: about a", "  one", "promise of one", "  other  [needs la57]"], "--list"
        )
        self.assertFalse((self.root / "logs").exists())
        self.assertNotIn("on fake", out)
        self.assertNotIn("two", self.expect(0, ["one"], "--list", "--case", "a/o*"))

    def test_remarks_about_this_machine_stand_in_the_first_line(self) -> None:
        rest = "[[remark]]\nfile = '/no/such'\ntext = 'b'"
        self.adapter("fake", f"[[remark]]\nfile = '/proc/self'\ntext = 'is not real'\n{rest}")
        self.expect(0, ["on fake (is not real)\n"], "a")

    def test_groups_and_names(self) -> None:
        self.expect(0, ["1 passed"], "-g", "slow")
        self.expect(0, ["2 passed"], "a")
        self.expect(0, ["2 passed"], str(self.root / "x86" / "a.flat"))
        self.expect(0, ["3 passed"], "-g", "slow", "-g", "quick")

    def test_a_file_that_is_not_in_the_catalog(self) -> None:
        self.image("c", ["one", "two"], _GOOD)
        self.config.write_text("[a]\n", encoding="utf-8")
        self.expect(0, ["2 passed"], str(self.root / "x86" / "c.flat"))

    def test_case_reaches_the_guest(self) -> None:
        self.image("c", ["one"], "assert words['case'] == 'on*'\nboot(1); case(1, 'one'); end()")
        self.expect(0, ["1 passed"], "--case", "c/on*")

    def test_seed_and_catalog_words_reach_the_guest(self) -> None:
        guest = "assert args == 'quick seed=0x12', args\n" + _GOOD
        self.image("c", ["one", "two"], guest, "args = quick")
        self.expect(0, ["2 passed"], "c", "--seed", "0x12")

    def test_seconds_reach_the_guest(self) -> None:
        guest = "assert args == 'seconds=3', args\n" + _GOOD
        self.image("c", ["one", "two"], guest)
        self.expect(0, ["2 passed"], "c", "--seconds", "3")

    def test_dry_run(self) -> None:
        out = self.expect(0, ["fake.py", "a.flat", "'case=o*'"], "--dry-run", "--case", "a/o*")
        self.assertEqual(out.count("\n"), 1)
        self.assertFalse((self.root / "logs").exists())

    def test_extra_arguments_come_last(self) -> None:
        out = self.expect(0, [], "a", "--dry-run", "--", "-cpu", "a b")
        self.assertTrue(out.endswith("-cpu 'a b'\n"), out)

    def test_live_report_and_verbosity(self) -> None:
        self.expect(0, ["TAP version 14", "ok 2 - two"], "a")
        self.assertNotIn("TAP version", self.expect(0, ["2 passed"], "a", "-q"))
        self.expect(0, ["passed   a/one", "passed   b/other"], "-v")


class Signals(Bench):
    def start(self, guest: str) -> "subprocess.Popen[str]":
        self.image("a", ["one", "two"], guest)
        self.image("b", ["one", "two"], guest)
        code = f"import signal, sys; sys.path.insert(0, {str(_SCRIPTS)!r})\n"
        code += "from pathlib import Path\nfrom runner.cli import main\n"
        # A shell's background jobs inherit it ignored.
        code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        code += f"sys.exit(main(['-j1'], Path({str(self.root)!r}), "
        code += f"Path({str(self.root / 'hypervisors')!r})))"
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.addCleanup(process.stdout.close if process.stdout else lambda: None)
        return process

    def test_interrupt_ends_with_a_summary_and_no_orphan(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            pid = self.root / f"pid{number}"
            guest = f"boot(2); case(1, 'one'); open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
            self.config.write_text("", encoding="utf-8")
            process = self.start(guest + "begin(2, 'two'); time.sleep(61)")
            deadline = time.monotonic() + 10
            while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(number)
            out, _ = process.communicate(timeout=10)
            self.assertEqual(process.returncode, 130, out)
            self.assertIn("1 passed, 0 failed, 0 skipped, 2 images interrupted", out)
            self.assertTrue(is_gone(int(pid.read_text(encoding="utf-8"))))

    @unittest.skipUnless(has_pty(), "this machine has no ptys")
    def test_status_line_on_a_terminal(self) -> None:
        self.image("a", ["one", "two"], "time.sleep(0.4);" + _GOOD)
        self.image("b", ["one", "two"], _GOOD)
        for colour in ("", "1"):
            out = self.on_terminal(colour)
            self.assertIn("running: a@fake", out)
            self.assertIn("4 passed, 0 failed", out)
            self.assertEqual("\x1b[32m" in out, not colour)

    def on_terminal(self, no_colour: str) -> str:
        code = f"import sys; sys.path.insert(0, {str(_SCRIPTS)!r})\n"
        code += "from pathlib import Path\nfrom runner.cli import main\n"
        code += f"root = Path({str(self.root)!r})\nmain(['-j1'], root, root / 'hypervisors')"
        master, slave = pty.openpty()
        environment = dict(os.environ, TERM="xterm", NO_COLOR=no_colour)
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=slave, stdout=slave, env=environment, check=False
        )
        os.close(slave)
        self.assertEqual(done.returncode, 0)
        chunks = []
        while True:
            try:
                chunks.append(os.read(master, 65536))
            except OSError:
                break
        os.close(master)
        return b"".join(chunks).decode()


if __name__ == "__main__":
    unittest.main()
