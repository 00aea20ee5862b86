# SPDX-License-Identifier: BSD-2-Clause
"""Several guests at once: all are started, all are judged, and the one that failed is named."""

from __future__ import annotations

import json
import unittest

from support import Bench

_BOTH = 'boot(2); case(1, "one", checks=3); case(2, "two", checks=4); end()'
# Each waits for the other to be there: one after the other would never end.
_MEET = """
import pathlib
here = pathlib.Path(folder).parent
(here / f"here-{words['guest']}").touch()
until = time.monotonic() + 10
while len(list(here.glob("here-*"))) < 2 and time.monotonic() < until:
    time.sleep(0.01)
boot(1)
case(1, "one", "ok" if len(list(here.glob("here-*"))) == 2 else "fail")
end()
"""


class Guests(Bench):
    def test_both_run_at_the_same_time(self) -> None:
        self.adapter("fake", "offers = ['guests']")
        self.image("pair", ["one"], _MEET, "guests = 2")
        self.expect(0, ["1 passed, 0 failed"])

    def test_checks_add_up_and_each_has_its_log(self) -> None:
        self.adapter("fake", "offers = ['guests']")
        self.image("pair", ["one", "two"], _BOTH, "guests = 2")
        self.expect(0, ["2 passed, 0 failed"])
        folder = self.root / "logs" / "last" / "pair@fake"
        for number in (1, 2):
            command = (folder / f"guest-{number}" / "command").read_text(encoding="utf-8")
            self.assertIn(f"guest={number}", command)
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        self.assertEqual([case["checks"] for case in result["cases"]], [6, 8])
        self.assertEqual(result["launches"], 2)

    def test_either_guest_fails_the_case_and_is_named(self) -> None:
        self.adapter("fake", "offers = ['guests']")
        for number in (1, 2):
            bad = (
                f'boot(1); case(1, "one", "fail" if words["guest"] == "{number}" else "ok"); end()'
            )
            self.image(f"bad{number}", ["one"], bad, "guests = 2")
            needles = [f"FAILED bad{number}/one on fake", f"guest {number}: it went wrong"]
            self.expect(1, needles, f"bad{number}")

    def test_a_guest_that_dies_is_started_again_by_itself(self) -> None:
        self.adapter("fake", "offers = ['guests']")
        dies = (
            'boot(2)\nif words["guest"] == "2" and begin(1, "one"): os._exit(3)\n'
            'case(1, "one"); case(2, "two"); end()'
        )
        self.image("dies", ["one", "two"], dies, "guests = 2")
        self.expect(1, ["guest 2: the hypervisor ended (status 3)", "1 passed, 1 failed"])

    def test_a_guest_that_never_starts_is_a_problem(self) -> None:
        self.adapter("fake", "offers = ['guests']")
        silent = 'if words["guest"] == "1":\n    boot(1); case(1, "one"); end()'
        self.image("silent", ["one"], silent, "guests = 2")
        self.expect(1, ["guest 2: no plan was reported"])

    def test_one_guest_is_told_no_number(self) -> None:
        self.image(
            "single",
            ["one"],
            'boot(1); case(1, "one", "fail" if "guest" in words else "ok"); end()',
        )
        self.expect(0, ["1 passed, 0 failed"])

    def test_a_hypervisor_of_one_guest_at_a_time_leaves_it_out(self) -> None:
        self.image("pair", ["one", "two"], _BOTH, "guests = 2")
        self.expect(77, ["needs guests, which fake does not offer"], "--on", "fake")


if __name__ == "__main__":
    unittest.main()
