# SPDX-License-Identifier: BSD-2-Clause
"""./run sabotage: what is caught, what is not, and what must not be; with guests that pretend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List

from support import Bench, elf

from runner import kept_runs
from runner.matrix import Matrix
from runner.reports import matrix as reports
from runner.result import CaseResult, ImageResult
from runner.sabotage import Sabotage, Unproven, choose, load_unproven

_LISTED = [
    ("lost", "invalidation", "QT22", "nothing is dropped"),
    ("torn", "table_writes", "", "halves of entries are lost"),
    ("extra", "permitted", "P11", "everything is dropped"),
]
# "one" notices what is lost; "two" what is torn.
_GUEST = """
bug = words.get("sabotage", "")
boot(3)
case(1, "one", "fail" if bug in {one} else "ok")
time.sleep(0.3 if bug == "lost" else 0)
case(2, "two", "fail" if bug in {two} else "ok")
case(3, "old", "fail")
end()
"""
_KNOWN = "[[known]]\ncase = 'good/old'\nreason = 'it has always failed'\n"


class Matrices(Bench):
    def matrix(self, status: int, needles: List[str], *argv: str) -> Dict[str, object]:
        file = self.root / "matrix.json"
        self.expect(status, needles, "sabotage", "--json", str(file), *argv)
        found = json.loads(file.read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found


class Command(Matrices):
    def setUp(self) -> None:
        super().setUp()
        self.adapter("fake", _KNOWN)

    def guest(self, one: str, two: str) -> None:
        lines = _GUEST.format(one=one, two=two)
        path = self.image("good", ["one", "two", "old"], lines)
        strings = [word for entry in _LISTED for word in ("@sabotage", *entry)]
        section = b"".join(word.encode() + b"\0" for word in strings)
        path.write_bytes(elf([(c, "") for c in ("one", "two", "old")], "good", "", section))

    def test_all_is_as_it_should_be(self) -> None:
        self.guest('["lost"]', '["torn", "lost"]')
        page = self.root / "page.html"
        needles = ["2 of 2 sabotages caught, 2 of 2 cases proven, 0 of 1 controls failed"]
        needles += ["lost (invalidation, QT22): good 2; first good/one after", "extra (permit"]
        found = self.matrix(0, needles, "--html", str(page))
        self.assertEqual(found["cases"], {"good/one": ["lost"], "good/two": ["lost", "torn"]})
        figures = found["figures"]
        assert isinstance(figures, dict)
        self.assertTrue(figures["complete"])
        self.assertGreater(figures["median_wall"], 0)
        self.assertIn("halves of entries are lost", page.read_text(encoding="utf-8"))

    def test_what_is_wrong(self) -> None:
        self.guest('["extra"]', '["torn"]')
        needles = ["nothing caught: 1\n  lost: nothing is dropped", "noticed nothing and not list"]
        needles += ["failed on permitted behaviour: 1\n  extra: good/one on fake: failed: it went"]
        self.matrix(1, needles)
        # What was not asked for is no reproach, and neither is a case that a part did not reach.
        self.matrix(0, ["1 of 1 sabotages caught"], "--only", "table_*")
        self.matrix(1, ["1 of 1 controls failed"], "--only", "permitted", "good")

    def test_the_first_failure_is_enough(self) -> None:
        self.guest('["lost"]', '["lost"]')
        found = self.matrix(0, ["1 of 1 sabotages caught"], "--only", "lost", "--first")
        self.assertEqual(found["cases"], {"good/one": ["lost"], "good/two": []})

    def test_usage(self) -> None:
        self.image("plain", ["one"], "boot(1); case(1, 'one'); end()")
        self.expect(2, ["none of these images can play a bug"], "sabotage")
        self.guest("[]", "[]")
        self.expect(2, ["--only: 'lots' is neither"], "sabotage", "--only", "lots")
        self.expect(2, ["cannot write /no/where"], "sabotage", "good", "--html", "/no/where")


_SCOUTS = [
    ("lost", "invalidation", "", "nothing is dropped"),
    ("torn", "table_writes", "", "halves of entries are lost"),
    ("late", "invalidation", "", "nobody has an occasion for this"),
    ("caches_nothing", "permitted", "", "every access walks"),
    ("caches_all_it_may", "permitted", "", "no access does"),
]
# "one" asks for what is lost, "two" for what is torn too; "two" under one scout only.
_ASKING = """
bug = words.get("sabotage", "")
with open(image + ".launched", "a") as file:
    file.write(f"{bug}:{words.get('omit', '')} ")
out = int(words.get("omit", "0"), 0)
names = [name for at, name in enumerate(("one", "two")) if not out >> at & 1]
boot(len(names))
for number, name in enumerate(names, 1):
    case(number, name, "fail" if bug in ("lost", "torn") else "ok")
    if bug:
        say("# asked " + ("10" if name == "one" else "30" if bug == "caches_all_it_may" else "10"))
end()
"""


class Saving(Matrices):
    def setUp(self) -> None:
        super().setUp()
        path = self.image("good", ["one", "two"], _ASKING)
        strings = [word for entry in _SCOUTS for word in ("@sabotage", *entry)]
        section = b"".join(word.encode() + b"\0" for word in strings)
        path.write_bytes(elf([("one", ""), ("two", "")], "good", "", section))
        self.launched = Path(f"{path}.launched")

    def words(self) -> List[str]:
        """Bug and omitted cases of each launch since the last time."""
        found = self.launched.read_text(encoding="utf-8").split()
        self.launched.write_text("", encoding="utf-8")
        return found

    def test_what_asks_for_nothing_is_not_launched(self) -> None:
        found = self.matrix(1, ["nothing caught: 1\n  late"], "-j1")
        scouts = [":", "caches_nothing:", "caches_all_it_may:"]
        self.assertEqual(self.words(), [*scouts, "lost:", "torn:0x1"])
        self.assertEqual(found["cases"], {"good/one": ["lost"], "good/two": ["lost", "torn"]})

    def test_enough(self) -> None:
        self.matrix(1, ["2 of 3 sabotages caught, 2 of 2 cases"], "--enough", "-j1")
        # What proves most comes first; the other bug has its turn afterwards.
        self.assertEqual(self.words()[3:], ["lost:", "torn:0x1"])
        self.matrix(0, ["1 of 1 sabotages caught"], "--enough", "--only", "torn")
        self.assertEqual(self.words()[3:], ["torn:0x1"])

    def test_enough_on_another_hypervisor(self) -> None:
        self.adapter("other")
        argv = ("--enough", "-j1", "--only", "lost,torn")
        self.matrix(0, ["2 of 2 cases proven"], *argv, "--on", "fake,other")
        self.assertEqual(len(self.words()), 5)  # nothing is left to show on the other one
        self.adapter("fake", "[[known]]\ncase = 'good/two'\nreason = 'so'\n")
        self.matrix(0, ["2 of 2 cases proven"], *argv, "--on", "fake,other")
        # What is known to fail on the first is proven on the second, without the other case.
        self.assertEqual(self.words()[-1], "torn:0x1")

    def test_merge(self) -> None:
        self.adapter("other")
        files = [str(self.root / name) for name in ("kept", "more")]
        self.matrix(0, [], "--keep", files[0], "--only", "lost", "--on", "fake")
        self.matrix(0, [], "--keep", files[1], "--only", "torn", "--on", "other")
        self.words()
        self.matrix(1, ["1 of 3 sabotages caught"], "--merge", files[0])
        needles = ["2 of 3 sabotages caught, 2 of 2 cases proven", "fake", "other"]
        found = self.matrix(1, needles, "--merge", ",".join(files))
        figures = found["figures"]
        assert isinstance(figures, dict)
        self.assertTrue(figures["complete"])
        self.assertEqual(self.words(), [])
        self.matrix(0, ["2 of 2 sabotages"], "--merge", ",".join(files), "--only", "lost,torn")
        # What an image that has changed since then showed is nothing any more.
        self.launched.with_name("good.flat").write_bytes(
            self.launched.with_name("good.flat").read_bytes() + b" "
        )
        kept_runs.forget_digests()
        self.matrix(1, ["0 of 3 sabotages caught, 0 of 0 cases"], "--merge", ",".join(files))
        self.expect(2, ["cannot read"], "sabotage", "--merge", str(self.root / "none"))

    def test_what_is_kept_is_not_launched_again(self) -> None:
        keep = ("--keep", str(self.root / "kept"), "--only", "lost")
        first = self.matrix(0, ["1 of 1 sabotages caught"], *keep)
        self.assertEqual(len(self.words()), 4)
        with (self.root / "kept").open("a", encoding="utf-8") as file:
            file.write('{"key": "cut o')
        self.assertEqual(self.matrix(0, [], *keep)["sabotages"], first["sabotages"])
        self.assertEqual(self.words(), [])
        self.adapter("fake", "[[known]]\ncase = 'good/one'\nreason = 'so'\n")
        self.matrix(0, [], *keep)
        self.assertEqual(len(self.words()), 4)


def _result(kinds: Dict[str, str]) -> ImageResult:
    cases = [CaseResult(i, name, kind) for i, (name, kind) in enumerate(kinds.items(), 1)]
    return ImageResult("image", "fake", "1", Path(), cases=cases)


class Judging(Bench):
    def test_unproven(self) -> None:
        bug = Sabotage("lost", "invalidation", "", "nothing is dropped")
        listed = [Unproven("image/q*", "registers only"), Unproven("image/loud", "wrong")]
        made = Matrix([bug], listed, complete=True)
        made.add_clean(_result({"quiet": "passed", "loud": "passed", "off": "skipped"}))
        made.add("lost", _result({"quiet": "passed", "loud": "crashed", "off": "failed"}))
        self.assertEqual(made.unlisted(), [])
        self.assertEqual(made.wrongly_listed(), ["image/loud"])
        self.assertFalse(made.good)
        self.assertIn("image/quiet: registers only", reports.text(made))
        made.unproven.clear()
        self.assertEqual(made.unlisted(), ["image/quiet"])

    def test_a_mismatch_is_noticed(self) -> None:
        bug = Sabotage("lost", "invalidation", "", "nothing is dropped")
        made = Matrix([bug], [], complete=True)
        made.add_clean(_result({"hidden": "passed", "odd": "mismatch"}))
        made.add("lost", _result({"hidden": "mismatch", "odd": "failed"}))
        made.add("lost", _result({"hidden": "mismatch"}))  # of another run
        self.assertEqual([catch.case for catch in made.of(bug)], ["image/hidden"])

    def test_the_list(self) -> None:
        path = self.root / "unproven.toml"
        self.assertEqual(load_unproven(path), [])
        path.write_text("[[unproven]]\ncase = 'a/b'\nreason = 'so'\n", encoding="utf-8")
        self.assertEqual(load_unproven(path), [Unproven("a/b", "so")])
        path.write_text("[[unproven]]\ncase = 'b'\nreason = 'so'\n", encoding="utf-8")
        with self.assertRaisesRegex(Exception, "unproven.toml:1: needs case"):
            load_unproven(path)

    def test_samples_are_stable(self) -> None:
        known = {str(n): Sabotage(str(n), "rights", "", "") for n in range(50)}
        sample = choose(known, [], 7, "1")
        self.assertEqual(len(sample), 7)
        self.assertEqual(sample, choose(known, ["rights"], 7, "1"))
        self.assertNotEqual(sample, choose(known, [], 7, "2"))
