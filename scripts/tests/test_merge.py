# SPDX-License-Identifier: BSD-2-Clause
"""./run report: results of several runs put together, and what they then mean."""

from __future__ import annotations

import json
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Dict, List

from support import Bench

_GOOD = 'boot(2); case(1, "one"); case(2, "two"); end()'
_BAD = 'boot(2); case(1, "one"); case(2, "two", "fail"); end()'


class Merge(Bench):
    def setUp(self) -> None:
        super().setUp()
        # By their names these are in different parts of two.
        for name in ("a", "b", "c", "d"):
            self.image(name, ["one", "two"], _GOOD)

    def results(self, name: str, status: int, *words: str) -> str:
        path = str(self.root / name)
        self.expect(status, [], *words, "--json", path)
        return path

    def change_head(self, path: str, **values: Any) -> None:
        lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
        head = {**json.loads(lines[0]), **values}
        Path(path).write_text(json.dumps(head) + "\n" + "".join(lines[1:]), encoding="utf-8")

    def lines(self, path: str) -> List[Dict[str, Any]]:
        return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]

    def test_shards(self) -> None:
        one = self.results("one", 0, "--shard", "1/2")
        two = self.results("two", 0, "--shard", "2/2")
        html, junit, out = (str(self.root / name) for name in ("html", "junit", "out"))
        words = ["--html", html, "--junit", junit, "--json", out]
        self.expect(0, ["fake: 8 passed, 0 failed"], "report", one, two, *words)
        suites = ElementTree.parse(junit).getroot().findall("testsuite")
        self.assertEqual([suite.get("name") for suite in suites], [f"{n}@fake" for n in "abcd"])
        page = Path(html).read_text(encoding="utf-8")
        for name in "abcd":
            self.assertIn(f"about {name}", page)
        # What was written can be read again, and is the same.
        self.expect(0, ["fake: 8 passed, 0 failed"], "report", out)
        self.expect(0, ["no case differs"], "compare", out, out)
        self.assertEqual(self.lines(out)[-1]["counts"], {"passed": 8})

    def test_a_missing_shard(self) -> None:
        one = self.results("one", 0, "--shard=1/2")
        self.expect(1, ["shards of './run' that are missing: 2/2"], "report", one)

    def test_a_run_that_was_cut_off(self) -> None:
        path = self.results("one", 0)
        text = Path(path).read_text(encoding="utf-8")
        Path(path).write_text("".join(text.splitlines(keepends=True)[:-1]), encoding="utf-8")
        self.expect(1, ["one was cut off: it has no last line"], "report", path)

    def test_failures_keep_their_logs(self) -> None:
        self.image("bad", ["one", "two"], _BAD)
        path = self.results("one", 1, "bad")
        (found,) = [line for line in self.lines(path) if line["type"] == "image"]
        ((name, console),) = found["consoles"].items()
        self.assertIn("not ok 2 - two", console)
        Path(name).unlink()
        html = str(self.root / "html")
        said = self.expect(1, ["failed bad/two@fake: "], "report", path, "--html", html)
        self.assertIn("fake: 1 passed, 1 failed", said)
        self.assertIn("not ok 2 - two", Path(html).read_text(encoding="utf-8"))
        self.assertNotIn("bad/two", self.expect(1, [], "report", "-q", path))

    def test_the_same_twice_needs_a_label(self) -> None:
        one, two = self.results("one", 0), self.results("two", 0)
        message = f"@fake is in {one} and in {two}: LABEL={two} keeps them apart"
        self.expect(2, [message], "report", one, two)
        words = ["report", f"intel={one}", f"amd={two}"]
        self.expect(0, ["fake,run=intel: 8 passed", "fake,run=amd: 8 passed"], *words)

    def test_hosts(self) -> None:
        one, two = self.results("one", 0), self.results("two", 0)
        self.change_head(one, host={"cpu": "Xeon", "cpus": "2"}, hypervisors={"fake": "1.0"})
        self.change_head(two, host={"cpu": "EPYC", "cpus": "2"}, hypervisors={"fake": "1.1"})
        out = str(self.root / "out")
        self.expect(0, ["fake,run=x 1.0: 8"], "report", f"x={one}", f"y={two}", "--json", out)
        head = self.lines(out)[0]
        self.assertEqual(head["host"], {"cpus": "2"})
        self.assertEqual(
            head["hosts"], {"fake,run=x": {"cpu": "Xeon"}, "fake,run=y": {"cpu": "EPYC"}}
        )
        # And once more, with one of them.
        again = str(self.root / "again")
        self.expect(0, [], "report", f"z={two}", out, "--json", again)
        hosts = self.lines(again)[0]["hosts"]
        self.assertEqual([hosts[name]["cpu"] for name in hosts], ["EPYC", "Xeon", "EPYC"])

    def test_strict(self) -> None:
        self.adapter("fake", "[[known]]\ncase = 'a/one'\nreason = 'theirs'")
        path = self.results("one", 0)
        self.expect(0, ["7 passed, 0 failed, 1 unexpected pass"], "report", path)
        self.expect(1, ["unexpected pass a/one@fake"], "report", "--strict", path)

    def test_usage(self) -> None:
        path = self.results("one", 0)
        self.expect(2, ["required: [LABEL=]FILE"], "report")
        self.expect(2, ["nowhere: No such file"], "report", path, "nowhere")
        self.expect(2, ["--html: cannot write /no/where"], "report", path, "--html", "/no/where")


if __name__ == "__main__":
    unittest.main()
