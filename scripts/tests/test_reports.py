# SPDX-License-Identifier: BSD-2-Clause
"""What programs read of a run: checked with readers that others wrote, where they are installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Dict, List

from support import Bench

_ROOT = Path(__file__).resolve().parents[2]
_SYSTEM = "/usr/bin/python3"  # Debian's packages belong to this one
_MIXED = """
say("\\x1b[2Jnoise \\x01")
boot(6)
case(1, "good", checks=3)
case(2, "bad", "fail")
case(3, "lucky", "skip")
case(4, "listed", "fail")
if begin(5, "crashes"):
    sys.stderr.write("bad \\x02 <thing> & ]]> \\x1b\\n"); sys.exit(3)
case(6, "last")
end()
"""
_CASES = ["good", "bad", "lucky", "listed", "crashes", "last"]
_KNOWN = "[[known]]\ncase = 'mixed/listed'\nreason = 'a bug # of theirs'\nreported = 'number 7'"
_READ_TAP = """
import sys, json
from tap.parser import Parser
kinds = [(line.category, getattr(line, 'ok', None), bool(getattr(line, 'todo', 0)),
          bool(getattr(line, 'skip', 0))) for line in Parser().parse_file(sys.argv[1])]
print(json.dumps(kinds))
"""
_READ_JUNIT = """
import sys, json
from junitparser import JUnitXml
xml = JUnitXml.fromfile(sys.argv[1])
print(json.dumps([(s.name, s.tests, s.failures, s.errors, s.skipped,
    [(c.name, [type(r).__name__ for r in c.result]) for c in s]) for s in xml]))
"""
_VALIDATE = """
import sys, json, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
lines = [json.loads(line) for line in open(sys.argv[2], encoding='utf-8')]
print(json.dumps([e.message[:300] for line in lines for e in validator.iter_errors(line)]))
"""


class Reports(Bench):
    def setUp(self) -> None:
        super().setUp()
        self.adapter("fake", _KNOWN)
        self.image("mixed", _CASES, _MIXED)
        self.image("nested", ["one"], "boot(1); case(1, 'one'); end()", "needs = vmx")
        self.image("mute", ["one"], "sys.exit(4)")

    def write(self, *formats: str, status: int = 1, more: "tuple[str, ...]" = ()) -> List[str]:
        """The files of one run."""
        words = []
        for name in formats:
            words += [f"--{name}", str(self.root / name)]
        self.expect(status, [], "--on", "fake", *words, *more)
        return [(self.root / name).read_text(encoding="utf-8") for name in formats]

    def reader(self, module: str, code: str, *words: str) -> Any:
        """What somebody else's library makes of it."""
        found = subprocess.run(
            [_SYSTEM, "-c", f"import {module}"], capture_output=True, check=False
        )
        if found.returncode:
            self.skipTest(f"{module} is not installed for {_SYSTEM} (scripts/setup installs it)")
        done = subprocess.run(
            [_SYSTEM, "-c", code, *words], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def test_json_lines(self) -> None:
        (text,) = self.write("json")
        lines = [json.loads(line) for line in text.splitlines()]
        self.assertEqual((lines[0]["type"], lines[0]["version"]), ("run", 1))
        self.assertIn("kernel", lines[0]["host"])
        verdicts = {line["name"]: line["verdict"] for line in lines if line["type"] == "case"}
        wanted = {"good": "passed", "bad": "failed", "lucky": "skipped", "listed": "known"}
        wanted.update({"crashes": "crashed", "last": "passed", "one": "not run"})
        self.assertEqual(verdicts, wanted)
        by_name: Dict[str, Any] = {line["name"]: line for line in lines if line["type"] == "case"}
        self.assertEqual(by_name["lucky"]["need"], "luck")
        self.assertEqual(by_name["listed"]["reported"], "number 7")
        self.assertEqual(by_name["bad"]["details"]["observed"], "#PF")
        self.assertIn("--case bad", by_name["bad"]["replay"])
        images = {line["image"]: line for line in lines if line["type"] == "image"}
        self.assertEqual(images["nested"]["need"], "vmx")
        self.assertEqual(images["mute"]["verdict"], "never started")
        self.assertEqual(lines[-1]["status"], 1)

    def test_json_lines_follow_their_schema(self) -> None:
        self.write("json")
        schema = str(_ROOT / "docs" / "results.schema.json")
        said = self.reader("jsonschema", _VALIDATE, schema, str(self.root / "json"))
        self.assertEqual(said, [])

    def test_schema_knows_every_verdict(self) -> None:
        text = (_ROOT / "docs" / "results.schema.json").read_text(encoding="utf-8")
        source = (_ROOT / "scripts" / "runner" / "result.py").read_text(encoding="utf-8")
        verdicts = re.findall(r'^[A-Z][A-Z_]+ = "([a-z ]+)"', source, re.MULTILINE)
        self.assertGreater(len(verdicts), 12)
        for verdict in verdicts:
            self.assertIn(f'"{verdict}"', text)

    def test_tap(self) -> None:
        (text,) = self.write("tap")
        lines = text.splitlines()
        self.assertEqual(lines[:2], ["TAP version 14", "1..3"])
        self.assertIn("# Subtest: mixed@fake", lines)
        self.assertIn("    not ok 2 - bad", lines)
        self.assertIn("    not ok 4 - listed # TODO known: a bug \\# of theirs", lines)
        self.assertIn("    ok 3 - lucky # SKIP needs luck: there is none", lines)
        self.assertIn("not ok 1 - mixed@fake", lines)
        skip = "ok 3 - nested@fake # SKIP needs vmx, which fake does not offer"
        self.assertIn(skip, lines)

    def test_tap_by_another_reader(self) -> None:
        (text,) = self.write("tap")
        # That reader knows subtests not yet: the outer level alone, then the inner one alone.
        outer = [line for line in text.splitlines() if line[:1] != " "]
        inner = [line[4:] for line in text.splitlines() if line[:4] == "    " or line == outer[0]]
        tests = []
        for name, lines in (("outer", outer), ("inner", ["TAP version 14", *inner])):
            path = self.root / name
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            kinds = self.reader("tap", _READ_TAP, str(path))
            tests.append([kind[1:] for kind in kinds if kind[0] == "test"])
        self.assertEqual([ok for ok, _, _ in tests[0]], [False, False, True])
        self.assertEqual([skip for _, _, skip in tests[0]], [False, False, True])
        wanted = [[True, False, False], [False, False, False], [True, False, True]]
        wanted += [[False, True, False], [False, False, False], [True, False, False]]
        self.assertEqual(tests[1][:6], wanted)

    def test_ktap(self) -> None:
        (text,) = self.write("ktap")
        lines = text.splitlines()
        self.assertEqual(lines[0], "KTAP version 1")
        self.assertIn("  KTAP version 1", lines)
        self.assertIn("  not ok 2 bad", lines)
        self.assertIn("  not ok 4 listed # XFAIL a bug no. of theirs", lines)
        self.assertTrue(any(re.match(r"  not ok 5 crashes # ERROR ", line) for line in lines))
        self.assertIn("not ok 1 mixed@fake", lines)
        for line in lines:
            self.assertRegex(
                line, r"^(  )?(KTAP version 1|1\.\.\d+|#.*|(not )?ok \d+ \S+( # .*)?)$"
            )

    def test_junit(self) -> None:
        (text,) = self.write("junit")
        root = ElementTree.fromstring(text)  # control characters would end this
        self.assertEqual(root.get("tests"), "9")
        self.assertEqual((root.get("failures"), root.get("errors")), ("1", "3"))
        names = {p.get("name") for p in root.iter("property")}
        self.assertTrue({"hypervisor", "host.kernel", "guest.seed", "promise"} <= names)
        self.assertIn("a bug # of theirs", text)

    def test_junit_by_another_reader(self) -> None:
        self.write("junit")
        suites = self.reader("junitparser", _READ_JUNIT, str(self.root / "junit"))
        mixed = [suite for suite in suites if suite[0] == "mixed@fake"][0]
        self.assertEqual(mixed[1:5], [6, 1, 1, 2])
        results = {name: kinds for name, kinds in mixed[5]}
        self.assertEqual(results["bad"], ["Failure"])
        self.assertEqual(results["crashes"], ["Error"])
        self.assertEqual(results["lucky"], ["Skipped"])
        self.assertEqual(results["good"], [])

    def test_github(self) -> None:
        summary = self.root / "summary.md"
        os.environ["GITHUB_STEP_SUMMARY"] = str(summary)
        self.addCleanup(os.environ.pop, "GITHUB_STEP_SUMMARY", None)
        _, out = self.run_cli("--on", "fake", "--github", "mixed")
        self.assertIn(
            "::error file=x.c,line=9,title=failed%3A mixed/bad@fake::FAILED mixed/bad", out
        )
        self.assertIn("%0A  expected:   completes%0A", out)
        text = summary.read_text(encoding="utf-8")
        self.assertIn("| fake | 1 | 2 | 2 | 1 | 1 |", text)
        self.assertIn("<summary>failed: mixed/bad@fake</summary>", text)

    def test_html(self) -> None:
        (text,) = self.write("html")
        self.assertNotRegex(text, r'(src|href)="(?!#)')  # nothing from elsewhere
        self.assertIn('id="mixed/bad@fake"', text)
        self.assertIn('href="#mixed/bad@fake"', text)
        self.assertIn("not ok 2 - bad", text)  # its log
        self.assertIn("bad  &lt;thing&gt; &amp; ]]&gt;", text)
        self.assertIn("<p>a bug # of theirs</p>", text)
        self.assertIn("<p>needs vmx, which fake does not offer</p>", text)
        self.assertIn("<title>Shadowbox ", text)
        self.assertNotIn("did not come to its end", text)
        # Every link has an end, and every id is there once.
        ids = re.findall(r' id="([^"]+)"', text)
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual(set(re.findall(r'href="#([^"]+)"', text)), set(ids))

    def test_html_has_a_column_for_each_hypervisor(self) -> None:
        self.adapter("other", "offers = ['vmx']")
        (text,) = self.write("html", more=("--on", "fake,other", "--repeat", "2"))
        rows = {
            found[0]: re.findall(r"<td.*?</td>", found[1])
            for found in re.findall(r'<tr class="case" id="([^"]+)".*?</th>(.*?)</tr>', text)
        }
        listed, nested = rows["mixed/listed"], rows["nested/one"]
        self.assertIn('<td class="known" title="', listed[0])
        self.assertIn("checks; known: a bug # of theirs", listed[0])
        self.assertIn(f"{chr(0x25B3)} known 2 of 2</a>", listed[0])
        self.assertIn(f"{chr(0x2717)} failed 2 of 2</a>", listed[1])
        self.assertEqual(nested[0], "<td></td>")
        self.assertRegex(nested[1], r'^<td class="pass" title="0\.\d+ s, \d+ checks; passed">')
        # What is red comes before what is not.
        self.assertLess(text.index('id="mixed"'), text.index('id="nested"'))
        self.assertIn('<tbody class="image open" id="mixed">', text)
        self.assertIn('<tbody class="image" id="nested">', text)
        node = shutil.which("node")
        if node is not None:
            script = str(_ROOT / "scripts" / "runner" / "reports" / "results.js")
            subprocess.run([node, "--check", script], check=True)

    def test_standard_output(self) -> None:
        code = f"import sys; sys.path.insert(0, {str(_ROOT / 'scripts')!r})\n"
        code += "from pathlib import Path\nfrom runner.cli import main\n"
        code += f"root = Path({str(self.root)!r})\n"
        code += "sys.exit(main(['--on', 'fake', '--json', '-'], root, root / 'hypervisors'))"
        done = subprocess.run([_SYSTEM, "-c", code], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        for line in done.stdout.splitlines():
            json.loads(line)
        self.assertIn("failed", done.stderr)
        self.expect(2, ["cannot both go to standard output"], "--json", "-", "--tap", "-")

    def test_files_that_cannot_be_written(self) -> None:
        for name in ("json", "tap", "ktap", "junit", "html"):
            nowhere = str(self.root / "no" / "where")
            self.expect(2, [f"--{name}: cannot write {nowhere}: No such"], f"--{name}", nowhere)
            if os.path.exists("/dev/full"):
                full = f"--{name}: cannot write /dev/full: No space left"
                self.expect(2, [full], "--on", "fake", f"--{name}", "/dev/full")


if __name__ == "__main__":
    unittest.main()
