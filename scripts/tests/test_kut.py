# SPDX-License-Identifier: BSD-2-Clause
"""Other suites' guests: kvm-unit-tests by its own catalog, and XTF's result line."""

from __future__ import annotations

import random
import unittest
from pathlib import Path
from typing import List

from support import Bench, elf

from runner import kut
from runner.kut_protocol import KutParser
from runner.launch import Ending
from runner.protocol import Report

_CFG = '''
##  a comment = 1
[good]
file = good.flat
smp = 2
extra_params = -cpu max -append "one 'two'"
test_args = "zero"
timeout = 3m
groups = quick

[long]
file = good.flat
extra_params = """-cpu max \\
   -m 2048"""

[stamp]
file = good.flat
extra_params = -append "time=`date +%s`"

[evil]
file = good.flat
test_args = `rm -rf /`

[evil2]
file = good.flat
smp = $(reboot)

[small]
file = good.flat
arch = i386

[host]
file = good.flat
check = /nowhere/nested=Y

[off]
file = good.flat
disabled_if = [[ "$SHADOWBOX_TEST" == "" ]]

[odd]
file = good.flat
disabled_if = (exit 0)

[rare]
file = good.flat
groups = nodefault

[bare]
file = good.flat
'''


class Catalog(Bench):
    def setUp(self) -> None:
        super().setUp()
        self.tree = self.root / "kut"
        (self.tree / "x86").mkdir(parents=True)
        (self.tree / "x86" / "unittests.cfg").write_text(_CFG, encoding="utf-8")
        (self.tree / "x86" / "good.flat").write_bytes(elf([]))
        self.guest("say('PASS: good: it works', 'SUMMARY: 1 tests')")
        self.adapter("fake", "offers = ['pci']\n[machines]\npc = 'pc'")

    def guest(self, lines: str) -> None:
        (self.tree / "x86" / "good.flat.guest").write_text(lines, encoding="utf-8")

    def test_sections(self) -> None:
        found = {item.entry.name: item.entry for item in kut.select(self.tree, [], [])}
        good, long, stamp = found["good"], found["long"], found["stamp"]
        self.assertEqual((good.cpus, good.timeout, good.groups), (2, 180, ("quick",)))
        self.assertEqual(good.args, ("zero", "one", "'two'"))
        assert good.foreign and long.foreign and stamp.foreign
        self.assertEqual(good.foreign.params, ("-cpu", "max"))
        self.assertEqual(long.foreign.params, ("-cpu", "max", "-m", "2048"))
        self.assertRegex(stamp.args[0], r"^time=\d+$")
        self.assertNotIn("rare", found)

    def test_nothing_is_evaluated_and_every_reason_is_said(self) -> None:
        found = {item.entry.name: item.entry for item in kut.select(self.tree, [], [])}
        reasons = {
            "evil": "needs understanding: a shell's work stands in '`rm -rf /`'",
            "evil2": "needs understanding: a shell's work stands in '$(reboot)'",
            "small": "needs i386: ",
            "host": "needs host: /nowhere/nested = Y, and it is not there",
            "off": "needs another_configuration: disabled_if",
            "odd": "needs understanding: disabled_if",
        }
        for name, reason in reasons.items():
            entry = found[name]
            assert entry.foreign
            said = entry.foreign.lacks("qemu-system-x86_64", ["-accel", "tcg"])
            self.assertTrue(said.startswith(reason), said)
        self.adapter("apicless", "no_kut = 'needs luck: no APIC'\noffers = ['pci']")
        self.expect(77, ["needs luck: no APIC"], "--kut", str(self.tree), "bare", "--on=apicless")
        assert found["good"].foreign
        self.assertEqual(found["good"].foreign.lacks("bochs", []), "needs qemu: -cpu max")

    def test_runs(self) -> None:
        words = ["2 passed, 0 failed", "evil: needs understanding", "3 images understanding"]
        self.expect(0, words, "--kut", str(self.tree))
        self.expect(0, ["PASS: good: it works", "1 passed"], "--kut", str(self.tree), "rare")
        self.expect(2, ["has no [nothing]"], "--kut", str(self.tree), "nothing")
        self.expect(2, ["unittests.cfg: No such file"], "--kut", str(self.root / "x86"))

    def test_failures(self) -> None:
        self.guest(
            "say('PASS: a', 'FAIL: b: it broke', 'XFAIL: c', 'SKIP: d', 'PASS: a', "
            "'SUMMARY: 5 tests, 1 unexpected failures')"
        )
        words = ["FAILED bare/b_it_broke", "FAIL: b: it broke", f"--kut {self.tree} bare --on fake"]
        self.expect(
            1, [*words, "2 passed, 1 failed, 1 skipped, 1 known"], "--kut", str(self.tree), "bare"
        )

    def test_accidents(self) -> None:
        for guest, said in {
            "say('PASS: a'); sys.exit(7)": "ended (status 7) before the report did",
            "say('PASS: a', 'SUMMARY: 2 tests')": "speaks of 2 tests, the lines before it of 1",
            "say('PASS: a', 'ABORT: oops'); sys.exit(0)": "bailed out: oops",
            "sys.exit(1)": "no plan was reported",
        }.items():
            self.guest(guest)
            out = self.run_cli("--kut", str(self.tree), "bare")
            self.assertNotEqual(out[0], 0)
            self.assertIn(said, out[1])


class Lines(unittest.TestCase):
    def report(self, text: str, status: int = 0, debug_exit: bool = True) -> Report:
        parser = KutParser()
        parser.feed(text.encode())
        return parser.conclude(Ending(status=status), debug_exit)

    def states(self, report: Report) -> List[str]:
        return [f"{result.state} {result.name}" for result in report.results]

    def test_names(self) -> None:
        report = self.report("PASS: x: y z\r\nPASS: x: y z\nXPASS: /odd/\nSUMMARY: 3 tests\n", 3)
        wanted = ["ok x_y_z", "ok x_y_z~2", "not ok odd"]
        self.assertEqual(self.states(report), wanted)
        self.assertTrue(report.terminal)
        self.assertEqual((report.plan, report.problems), (3, []))

    def test_status_where_there_is_no_summary(self) -> None:
        for status, state in ((1, "ok"), (3, "not ok"), (77, "skip")):
            self.assertEqual(self.states(self.report("hello\n", status)), [f"{state} exit_status"])
        self.assertFalse(self.report("hello\n", 1, debug_exit=False).terminal)
        self.assertEqual(self.states(self.report("EXIT: STATUS=1\n", 0, False)), ["ok exit_status"])
        self.assertFalse(self.report("hello\n", 0).terminal)
        self.assertEqual(self.report("PASS: a\n", 127).bail, "the guest called abort")

    def test_a_guest_that_halts(self) -> None:
        for number, states in ((0, ["ok a"]), (1, ["ok a", "not ok exit_status"])):
            report = self.report(f"PASS: a\n--- DONE: {number} ---\n", 0, False)
            self.assertEqual(self.states(report), states)
            self.assertTrue(report.terminal)
        for number, state in ((0, "ok"), (1, "not ok"), (2, "not ok"), (38, "skip")):
            report = self.report(f"--- DONE: {number} ---\n", 0, False)
            self.assertEqual(self.states(report), [f"{state} exit_status"])
            self.assertEqual((report.plan, report.problems), (1, []))
        self.assertEqual(self.report("--- DONE: 63 ---\n", 0, False).bail, "the guest called abort")

    def test_anything_may_come(self) -> None:
        rng = random.Random(5)
        words = ["PASS: a", "FAIL: b", "SUMMARY: 1 tests", "--- DONE: 0 ---", "ABORT: x"]
        words += [
            "EXIT: STATUS=3",
            "SUMMARY: 99999999999999999999 tests",
            "\0\xff",
            "Test result: ",
        ]
        for _ in range(5000):
            text = "\n".join(rng.choice(words) for _ in range(rng.randrange(6)))
            states = self.states(self.report(text, rng.randrange(4)))
            if "FAIL: b\n" in text:
                self.assertIn("not ok b", states)

    def test_a_status_that_contradicts_the_lines(self) -> None:
        report = self.report("PASS: a\nSUMMARY: 1 tests\n", 3)
        self.assertEqual(self.states(report), ["ok a", "not ok exit_status"])

    def test_very_many_passes(self) -> None:
        text = (
            "".join(f"PASS: case {n}\n" for n in range(20000)) + "FAIL: x\nSUMMARY: 20001 tests\n"
        )
        report = self.report(text, 3)
        self.assertEqual(len(report.results), 5002)
        self.assertEqual(report.results[-1].checks, 15000)
        self.assertEqual(report.problems, [])

    def test_xtf(self) -> None:
        head = "--- Xen Test Framework ---\nEnvironment: HVM 64bit\n"
        for said, state in (("SUCCESS", "ok"), ("SKIP", "skip"), ("FAILURE", "not ok")):
            report = self.report(f"{head}Test result: {said}\n", 0, False)
            self.assertEqual(self.states(report), [f"{state} test_result"])
            self.assertTrue(report.terminal)

    def test_environment_module(self) -> None:
        self.assertRegex(kut.environment(), r"(?m)^KERNEL_VERSION=\d+$")
        entry = kut.entry_of("one", {"smp": "2"}, Path("."))
        self.assertIn("NR_CPUS=2\nMEMSIZE=256\n", kut.cd_environment(entry, "VBoxManage"))
        self.assertNotIn("NR_CPUS", kut.cd_environment(entry, "qemu-system-x86_64"))


if __name__ == "__main__":
    unittest.main()
