# SPDX-License-Identifier: BSD-2-Clause
"""From the command line to the verdict, with hypervisors that pretend."""

from __future__ import annotations

import json
import os
import time
import unittest
from pathlib import Path

from support import Bench, has_pty, is_gone

_GOOD = 'boot(2); case(1, "one", checks=3); case(2, "two", checks=4); end()'
_STDERR = """
[[symptom]]
kind = "crashed"
where = "stderr"
pattern = "internal error"
text = "internal error"
[[symptom]]
kind = "crashed"
where = "log"
pattern = "^Triple fault"
text = "triple fault"
[[symptom]]
kind = "reset"
where = "end"
pattern = "^status 0$"
text = "powered off"
"""
_BAD_SECOND = """
boot(3)
case(1, "one")
if begin(2, "two"):
    {accident}
case(3, "three")
end()
"""


class Verdicts(Bench):
    def test_pass(self) -> None:
        self.image("good", ["one", "two"], _GOOD)
        out = self.expect(0, ["2 passed, 0 failed, 0 skipped", "good@fake"])
        self.assertTrue(out.startswith("on fake"))

    def test_failure_says_all_that_a_reader_needs(self) -> None:
        self.image("bad", ["one", "two"], 'boot(2); case(1, "one", "fail"); case(2, "two"); end()')
        needles = ["FAILED bad/one on fake", "promise of one", "it went wrong", "SDM, a section"]
        needles += ["expected:   completes", "observed:   #PF", "at:         x.c:9", "console.log"]
        needles += ["bad.flat --case one --on fake", "1 passed, 1 failed, 0 skipped"]
        self.expect(1, needles)

    def test_skips(self) -> None:
        self.image("skips", ["one"], 'boot(1); case(1, "one", "skip"); end()')
        self.expect(77, ["0 passed, 0 failed, 1 skipped"])
        self.image("good", ["one", "two"], _GOOD)
        self.expect(0, ["2 passed, 0 failed, 1 skipped"])

    def test_a_lying_status_changes_nothing(self) -> None:
        self.image("a", ["one", "two"], _GOOD + "; sys.exit(3)")
        self.expect(0, ["2 passed"])
        self.image("b", ["one"], 'boot(1); case(1, "one", "fail"); end(); sys.exit(0)')
        self.expect(1, ["1 failed"], "b")
        self.image("c", ["one"], "sys.exit(0)")
        self.expect(1, ["NEVER STARTED", "1 failed (1 not run)"], "c")

    def test_hypervisor_that_is_busy_for_a_moment(self) -> None:
        self.adapter("fake", "busy = 'no free port'")
        mark = str(self.root / "started")
        self.image(
            "a",
            ["one", "two"],
            f"if not os.path.exists({mark!r}):\n"
            f"    open({mark!r}, 'w').close()\n"
            "    sys.stderr.write('no free port'); sys.exit(1)\n" + _GOOD,
        )
        self.expect(0, ["2 passed, 0 failed"])

    def test_hypervisor_that_refuses(self) -> None:
        self.image("a", ["one"], 'sys.stderr.write("no such option\\n"); sys.exit(1)')
        self.expect(2, ["NEVER STARTED", "stderr:     no such option"])


class Accidents(Bench):
    """Each brings the machine down in the second of three cases; the third must still be run."""

    def accident(self, line: str, needles: "list[str]", config: str = "") -> str:
        cases = ["one", "two", "three"]
        self.image("image", cases, _BAD_SECOND.format(accident=line), config)
        return self.expect(1, ["2 passed, 1 failed", *needles])

    def test_death_by_signal(self) -> None:
        line = "os.kill(os.getpid(), 11)"
        self.accident(line, ["CRASHED image/two", "died of signal SIGSEGV", "(1 crashed)"])

    def test_early_exit(self) -> None:
        self.accident("sys.exit(4)", ["CRASHED image/two", "ended (status 4) before the report"])

    def test_hang_is_seen_by_its_silence(self) -> None:
        out = self.accident("time.sleep(60)", ["HUNG image/two", "silent for 1 s"], "silence = 1")
        self.assertIn("(1 hung)", out)

    def test_time_limit(self) -> None:
        line = "while True: say('# progress'); time.sleep(0.05)"
        self.accident(line, ["TIME LIMIT image/two", "limit of 1 s"], "timeout = 1")

    def test_flood(self) -> None:
        line = "while True: sys.stdout.write('x' * 65536 + chr(10))"
        self.accident(line, ["FLOOD image/two", "more than 16 MiB", "(1 flood)"])
        log = self.root / "logs" / "last" / "image@fake" / "console.log"
        self.assertEqual(log.stat().st_size, 16 << 20)

    def test_reset(self) -> None:
        line = "boot(3); time.sleep(60)"
        self.accident(line, ["RESET image/two", "booted a second time", "(1 reset)"])

    def test_internal_error_on_stderr_is_seen_at_once(self) -> None:
        self.adapter("fake", _STDERR)
        line = "sys.stderr.write('internal error 17\\n'); sys.stderr.flush(); time.sleep(60)"
        started = time.monotonic()
        self.accident(line, ["CRASHED image/two", "message:    internal error 17"])
        self.assertLess(time.monotonic() - started, 5)

    def test_triple_fault_in_the_log(self) -> None:
        self.adapter("fake", "log = '{tmp}/cpu.log'" + _STDERR)
        line = "open(folder + '/cpu.log', 'w').write('x\\nTriple fault\\n'); sys.exit(0)"
        self.accident(line, ["CRASHED image/two", "message:    triple fault"])

    def test_power_off_without_an_end(self) -> None:
        self.adapter("fake", _STDERR)
        self.accident("sys.exit(0)", ["RESET image/two", "powered off"])

    def test_bail_out(self) -> None:
        line = "say('Bail out! the stack is gone'); sys.exit(0)"
        self.accident(line, ["CRASHED image/two", "bailed out: the stack is gone"])

    def test_crash_right_after_a_result(self) -> None:
        line = "over(2, 'two'); sys.exit(1)"
        self.accident(line, ["CUT OFF image/two", "right after its result"])

    def test_no_endless_loop(self) -> None:
        guest = 'boot(3); case(1, "one"); begin(2, "two") if resume == 0 else 0; sys.exit(1)'
        self.image("image", ["one", "two", "three"], guest)
        out = self.expect(1, ["1 passed, 2 failed (1 crashed, 1 not run)"])
        self.assertIn("1 image failed as a whole", out)

    def test_every_case_crashes(self) -> None:
        names = [f"c{n}" for n in range(1, 6)]
        guest = 'boot(5); begin(resume + 1, f"c{resume + 1}"); sys.exit(1)'
        self.image("image", names, guest)
        self.expect(1, ["0 passed, 5 failed (5 crashed)"])


class Endings(Bench):
    def test_a_machine_that_stays_is_killed_and_that_is_no_failure(self) -> None:
        self.image("good", ["one", "two"], _GOOD + "; time.sleep(60)")
        started = time.monotonic()
        self.expect(0, ["2 passed"])
        self.assertLess(time.monotonic() - started, 4)

    def test_no_child_survives(self) -> None:
        pid = self.root / "pid"
        guest = "import subprocess\n" + _GOOD + "\np = subprocess.Popen(['sleep', '61'])\n"
        guest += f"open({str(pid)!r}, 'w').write(str(p.pid)); time.sleep(61)"
        self.image("good", ["one", "two"], guest)
        self.expect(0, ["2 passed"])
        self.assertTrue(is_gone(int(pid.read_text(encoding="utf-8"))))

    def test_descriptors_do_not_leak(self) -> None:
        self.image("good", ["one", "two"], _GOOD)
        self.expect(0, [])
        before = len(os.listdir("/proc/self/fd"))
        self.expect(0, ["10 passed"], "--repeat", "5")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    @unittest.skipUnless(has_pty(), "this machine has no ptys")
    def test_console_on_a_fifo_and_on_a_pty(self) -> None:
        self.image("good", ["one", "two"], _GOOD)
        self.adapter("fake", "console = 'pty'")
        self.expect(0, ["2 passed"])
        self.adapter("fake", "console = 'fifo'")
        guest = "sys.stdout = open(folder + '/console.fifo', 'w')\n" + _GOOD
        self.image("fifo", ["one", "two"], guest)
        self.expect(0, ["2 passed"], "fifo")
        folder = self.root / "logs" / "last" / "fifo@fake"
        self.assertFalse((folder / "console.fifo").exists())
        self.assertIn("# end", (folder / "console.log").read_text(encoding="utf-8"))

    def test_log_folder(self) -> None:
        accident = _BAD_SECOND.format(accident="sys.exit(1)")
        self.image("image", ["one", "two", "three"], accident)
        self.expect(1, [])
        folder = self.root / "logs" / "last" / "image@fake"
        for name in ("console.log", "stderr.log", "command", "resume-2/console.log"):
            self.assertTrue((folder / name).exists(), name)
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        self.assertEqual([c["kind"] for c in result["cases"]], ["passed", "crashed", "passed"])
        self.assertEqual(result["launches"], 2)
        self.assertEqual((self.root / "logs" / "last").resolve().parent, self.root / "logs")


class KnownFailures(Bench):
    def known(self, versions: str = "") -> None:
        text = "version = ['/bin/echo', 'version 7.2.1']\n[[known]]\ncase = 'image/t*'\n"
        self.adapter("fake", text + f"reason = 'a bug'\nversions = '{versions}'")

    def test_known(self) -> None:
        self.known()
        accident = _BAD_SECOND.format(accident="sys.exit(1)")
        self.image("image", ["one", "two", "three"], accident)
        needles = ["on fake 7.2.1", "known on fake: a bug\n    image/two (crashed)", "0 failed"]
        self.expect(0, [*needles, "1 unexpected pass"])
        self.expect(1, ["UNEXPECTED PASS image/three"], "--strict")

    def test_other_versions(self) -> None:
        self.known("<7.2")
        self.image("image", ["two"], 'boot(1); case(1, "two", "fail"); end()')
        self.expect(1, ["1 failed"])

    def test_a_broken_report_is_never_known(self) -> None:
        self.known()
        self.image("image", ["two"], 'boot(1); case(1, "two"); say("# end passed=9")')
        self.expect(1, ["BROKEN REPORT image"])


class Mismatches(Bench):
    """Failures that speak of the processor's model count apart (P30)."""

    def test_counted_apart(self) -> None:
        self.image(
            "image", ["one", "two"], 'boot(2); case(1, "one", "mismatch"); case(2, "two"); end()'
        )
        self.expect(0, ["MISMATCH image/one", "1 passed, 0 failed", "1 mismatch"])
        self.expect(1, ["MISMATCH image/one", "0 failed"], "--strict")

    def test_does_not_hide_a_failure(self) -> None:
        guest = 'boot(2); case(1, "one", "mismatch"); case(2, "two", "fail"); end()'
        self.image("image", ["one", "two"], guest)
        self.expect(1, ["1 failed", "1 mismatch"])

    def test_can_be_known(self) -> None:
        self.adapter("fake", "[[known]]\ncase = 'image/one'\nreason = 'a model'")
        self.image("image", ["one"], 'boot(1); case(1, "one", "mismatch"); end()')
        self.expect(0, ["known on fake: a model\n    image/one (mismatch)"], "--strict")


class Fallback(Bench):
    """Tentative hypervisors: the first image shows whether a guest really starts."""

    def test_falls_back_for_all_images_after_one_trial(self) -> None:
        self.adapter("first", "tentative = true", auto=1)
        path = self.root / "hypervisors" / "first.toml"
        text = path.read_text(encoding="utf-8").replace("{args}", "refuse=1")
        path.write_text(text, encoding="utf-8")
        marks = self.root / "marks"
        guest = f"if 'refuse' in words: open({str(marks)!r}, 'a').write('x'); sys.exit(1)\n"
        for name in ("a", "b", "c"):
            self.image(name, ["one", "two"], guest + _GOOD)
        self.expect(0, ["no guest starts on first", "6 passed", "a@fake"], "-j", "3")
        self.assertEqual(marks.read_text(encoding="utf-8"), "x")
        self.expect(2, ["NEVER STARTED"], "--on", "first")

    def test_stays_where_a_guest_starts(self) -> None:
        self.adapter("first", "tentative = true", auto=1)
        for name in ("a", "b"):
            self.image(name, ["one", "two"], _GOOD)
        self.expect(0, ["4 passed", "a@first", "b@first"])


class Placeholders(Bench):
    def test_files_and_memory(self) -> None:
        path = Path(self.root / "hypervisors" / "fake.toml")
        text = path.read_text(encoding="utf-8").replace("{tmp}", "{tmp}/rc")
        text += "[[file]]\nname = 'rc'\nlines = ['m={memory}', '{other}']\n"
        path.write_text(text, encoding="utf-8")
        guest = "assert open(folder).read() == 'm=64\\n{other}\\n'\n" + _GOOD
        self.image("good", ["one", "two"], guest, "memory = 64")
        self.expect(0, ["2 passed"])


if __name__ == "__main__":
    unittest.main()
