# SPDX-License-Identifier: BSD-2-Clause
"""Golden logs: what each of them must come out as, whatever the hypervisor's status says."""

from __future__ import annotations

import unittest
from typing import Dict, List, Tuple

from support import GOLDEN, judge

from runner.launch import Ending
from runner.protocol import Parser

_PASS = ["passed", "skipped", "passed"]
_BROKEN = "broken report"
# log -> verdicts of the three cases, kinds of problems of the whole image
_EXPECTED: Dict[str, Tuple[List[str], List[str]]] = {
    "complete": (_PASS, []),
    "complete_crlf": (_PASS, []),
    "garbage_before": (_PASS, []),
    "garbage_inside": (_PASS, []),
    # A report that reached its end is whole, however often the machine boots afterwards.
    "second_boot_after_end": (_PASS, []),
    "failed_case": (["passed", "skipped", "failed"], []),
    "crash_in_second": (["passed", "crashed", "not run"], []),
    "exception": (["passed", "crashed", "not run"], []),
    "bail_out": (["passed", "crashed", "not run"], []),
    "two_boots": (["passed", "reset", "not run"], []),
    "no_plan": (["not run"] * 3, ["never started"]),
    "silence": (["not run"] * 3, ["never started"]),
    "firmware_only": (["not run"] * 3, ["never started"]),
    "cut_after_plan": (["not run"] * 3, ["cut off"]),
    "cut_before_end": (["passed", "skipped", "cut off"], []),
    "cut_in_end": (["passed", "skipped", "cut off"], []),
    "cut_in_line": (["passed", "skipped", "crashed"], []),
    "duplicate_number": (["passed", _BROKEN, "not run"], [_BROKEN] * 2),
    "missing_number": (["passed", "not run", "passed"], [_BROKEN] * 2),
    "garbage_in_result": (["passed", "skipped", "passed"], [_BROKEN]),
    "wrong_end": (_PASS, [_BROKEN]),
    "bare_end": (_PASS, [_BROKEN] * 4),
    "result_without_begin": (_PASS, [_BROKEN]),
    "other_name": (_PASS, [_BROKEN]),
    "nothing_to_do": ([], []),
}
_NAMES = (
    "drops_a_4_kbyte_translation",
    "drops_a_1_gbyte_translation",
    "drops_a_2_mbyte_translation",
)
# What a process may say about itself; none of it may turn a verdict.
_ENDINGS = [Ending(status=status) for status in (0, 1, 3, 77, 127, -11, None)]


class Golden(unittest.TestCase):
    def test_every_log_has_an_expectation(self) -> None:
        self.assertEqual({path.stem for path in GOLDEN.glob("*.log")}, set(_EXPECTED))

    def test_verdicts_do_not_depend_on_the_status(self) -> None:
        for name, (cases, problems) in _EXPECTED.items():
            data = (GOLDEN / f"{name}.log").read_bytes()
            for ending in _ENDINGS:
                with self.subTest(log=name, status=ending.status):
                    result = judge(data, ending, _NAMES)
                    kinds = [case.kind for case in result.cases]
                    if ending.status == -11:  # a crash by signal is named so
                        kinds = _as_without_signal(kinds, cases)
                        result.problems = result.problems[: len(problems)]
                    self.assertEqual(kinds, cases)
                    if ending.status != -11:
                        self.assertEqual([p.kind for p in result.problems], problems)
                    good = cases in (_PASS, []) and not problems
                    self.assertEqual(result.good, good)

    def test_details_of_a_failure(self) -> None:
        result = judge((GOLDEN / "failed_case.log").read_bytes(), Ending())
        case = result.cases[2]
        self.assertEqual(case.text, "stale translation used after INVLPG")
        self.assertEqual(case.details["at"], "x86/invlpg.c:57")
        self.assertEqual(case.details["expected"], "completes, value 0x2")
        self.assertEqual(len(case.details["walk"].splitlines()), 2)
        self.assertEqual(case.details["backtrace"], "0x101234 0x100f00")
        self.assertEqual(case.checks, 7)

    def test_exception_of_a_case_that_never_ended(self) -> None:
        result = judge((GOLDEN / "exception.log").read_bytes(), Ending())
        self.assertEqual(len(result.cases[1].exceptions), 3)

    def test_facts(self) -> None:
        parser = Parser()
        parser.feed((GOLDEN / "complete.log").read_bytes())
        self.assertEqual(parser.report.facts["cpu"], "QEMU TCG CPU version 2.5+")
        self.assertEqual(parser.report.facts["levels"], "4")


def _as_without_signal(kinds: List[str], expected: List[str]) -> List[str]:
    """A cut-off log of a process that died of a signal is a crash."""
    return ["cut off" if (k, e) == ("crashed", "cut off") else k for k, e in zip(kinds, expected)]


if __name__ == "__main__":
    unittest.main()
