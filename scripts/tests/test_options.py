# SPDX-License-Identifier: BSD-2-Clause
"""Repetition, retries, shards, requirements, bisecting; and what changed between two runs."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Dict, List

from support import Bench

from runner import host, plan

_GOOD = 'boot(2); case(1, "one"); case(2, "two"); end()'
_SKIP = 'boot(1); case(1, "one", "skip"); end()'
# Fails as long as the file is there, once.
_ONCE = """
mark = {mark!r}
bad = os.path.exists(mark)
if bad: os.unlink(mark)
only = words.get("case", "")
if only == "two":
    boot(1)
    case(1, "two", "fail" if bad else "ok")
else:
    boot(2)
    case(1, "one"); case(2, "two", "fail" if bad else "ok")
end()
"""


class Again(Bench):
    def flaky(self, guest: str = _ONCE) -> Path:
        mark = self.root / "mark"
        mark.write_text("", encoding="utf-8")
        self.image("image", ["one", "two"], guest.format(mark=str(mark)))
        return mark

    def test_a_pass_on_retry_is_flaky_and_no_plain_pass(self) -> None:
        mark = self.flaky()
        words = ["flaky image/two@fake: failed at first, passed at attempt 2"]
        self.expect(0, [*words, "1 passed, 0 failed, 0 skipped, 1 flaky"], "--retry", "2")
        mark.write_text("", encoding="utf-8")
        self.expect(1, ["FLAKY image/two"], "--retry", "2", "--strict")
        mark.write_text("", encoding="utf-8")
        self.expect(1, ["FAILED image/two"])

    def test_what_fails_again_has_failed(self) -> None:
        self.image("image", ["one"], 'boot(1); case(1, "one", "fail"); end()')
        self.expect(1, ["1 failed"], "--retry", "2")
        folder = self.root / "logs" / "last" / "image@fake"
        self.assertTrue((folder / "retry-2" / "console.log").exists())

    def test_an_image_that_failed_as_a_whole(self) -> None:
        guest = "mark = {mark!r}\nif os.path.exists(mark): os.unlink(mark); sys.exit(3)\n" + _GOOD
        self.flaky(guest)
        self.expect(0, ["0 passed, 0 failed, 0 skipped, 2 flaky"], "--retry", "1")

    def test_until_fail(self) -> None:
        count = self.root / "count"
        guest = f"c = os.path.getsize({str(count)!r}); open({str(count)!r}, 'a').write('x')\n"
        guest += "boot(1)\n"
        guest += "case(1, 'one', 'fail' if c == 3 else 'ok'); end()"
        self.image("image", ["one"], guest)
        count.write_text("", encoding="utf-8")
        self.expect(1, ["3 passed, 1 failed", "image x4"], "--until-fail")
        count.write_text("", encoding="utf-8")
        self.expect(0, ["2 passed, 0 failed"], "--until-fail", "--repeat", "2")

    def test_fail_fast(self) -> None:
        self.image("a", ["one"], "sys.exit(1)")  # says nothing about the others
        self.image("b", ["one", "two"], _GOOD)
        self.image("c", ["one", "two"], 'boot(2); case(1, "one", "fail"); case(2, "two"); end()')
        self.image("d", ["one", "two"], _GOOD)
        self.image("e", ["one", "two"], _GOOD)
        self.expect(1, ["7 passed, 2 failed"], "-j1")
        for word in ("-x", "--fail-fast", "--bisect"):
            out = self.expect(1, ["3 passed, 2 failed", "2 images not started"], "-j1", word)
            self.assertNotIn("interrupted", out)
        self.expect(0, ["4 passed, 0 failed"], "-x", "-j1", "d", "e")

    def test_durations(self) -> None:
        self.image(
            "image",
            ["one", "two"],
            "boot(2); begin(1, 'one'); time.sleep(0.2); " "over(1, 'one'); case(2, 'two'); end()",
        )
        out = self.expect(0, ["s  image/one@fake"], "--durations=1")
        self.assertNotIn("s  image/two@fake", out)


class Choice(Bench):
    def test_shards_are_a_partition_that_stays(self) -> None:
        names = [f"image{n}" for n in range(200)]
        parts = [[n for n in names if plan.in_shard(n, (i, 4))] for i in range(1, 5)]
        self.assertEqual(sorted(sum(parts, [])), sorted(names))
        self.assertTrue(all(30 < len(part) < 70 for part in parts))
        self.assertTrue(plan.in_shard("invlpg", (1, 3)))  # for ever

    def test_shard_on_the_command_line(self) -> None:
        for name in ("a", "b", "c"):
            self.image(name, ["one", "two"], _GOOD)
        seen = ""
        for part in ("1/2", "2/2"):
            seen += self.run_cli("--shard", part)[1]
        for name in ("a@fake", "b@fake", "c@fake"):
            self.assertEqual(seen.count(f"passed   {name}"), 1, seen)
        self.expect(2, ["is no I/N with I from 1 to N"], "--shard", "3/2")

    def test_skips_are_counted_by_reason(self) -> None:
        self.image("a", ["one"], _SKIP)
        self.image("b", ["one", "two"], _GOOD)
        self.image("c", ["one"], _GOOD, "needs = vmx")
        self.expect(0, ["skipped for want of: 1 luck, 1 image vmx", "1 skipped"])

    def test_require(self) -> None:
        self.image("a", ["one"], _SKIP, needs="luck")
        self.image("b", ["one"], _GOOD, "needs = vmx")
        self.expect(1, ["MISSING NEED a/one", "(1 missing need)"], "--require", "luck")
        self.expect(1, ["1 image failed as a whole"], "--require", "vmx")
        self.expect(77, [], "--require", "la57")
        self.expect(1, ["MISSING NEED a/one"], "--require", "all")
        self.expect(2, ["nothing here needs 'lukc'"], "--require", "lukc")

    def test_bisect(self) -> None:
        self.image("good", ["one", "two"], _GOOD)
        self.image("bad", ["one"], 'boot(1); case(1, "one", "fail"); end()')
        self.image("dead", ["one"], "sys.exit(1)")
        self.image("skips", ["one"], _SKIP)
        for name, status in (("good", 0), ("bad", 1), ("dead", 125), ("skips", 125)):
            self.expect(status, [], "--bisect", name)
        self.expect(125, ["there is no such image"], "--bisect", "nothing")
        self.expect(125, ["this failed: exit 1"], "--bisect", "--build", "exit 1", "good")
        self.expect(0, [], "--bisect", "--build", "true", "good")


class Compare(Bench):
    def run_file(self, name: str, cases: Dict[str, str], seconds: float = 1.0) -> str:
        """A file of results; a verdict may carry a time behind a blank."""
        head = {"type": "run", "format": "shadowbox-results", "version": 1, "host": {"cpu": name}}
        lines: List[Dict[str, object]] = [head]
        for case, verdict in cases.items():
            lines.append({"type": "case", "image": "i", "hypervisor": "h", "name": case})
            lines[-1].update({"verdict": verdict.partition(" ")[0], "seconds": seconds})
            if " " in verdict:
                lines[-1]["seconds"] = float(verdict.partition(" ")[2])
        lines.append({"type": "image", "image": "i", "hypervisor": "h", "verdict": "passed"})
        lines.append({"type": "end", "counts": {}, "status": 0, "seconds": 1})
        path = self.root / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return str(path)

    def test_all_kinds_of_changes(self) -> None:
        old = {"a": "passed", "b": "failed", "c": "passed", "d": "passed", "e": "passed 0.2"}
        new = {"a": "failed", "b": "passed", "c": "skipped", "e": "passed 0.9", "f": "passed"}
        words = ["cpu: old -> new", "new failures: 1\n  i/a@h: failed, was passed"]
        words += ["fixed: 1\n  i/b@h", "newly skipped: 1\n  i/c@h", "gone: 1\n  i/d@h"]
        words += ["slower: 1\n  i/e@h: 0.200 s -> 0.900 s", "new cases: 1\n  i/f@h"]
        self.expect(1, words, "compare", self.run_file("old", old), self.run_file("new", new))

    def test_nothing_worse(self) -> None:
        old = self.run_file("old", {"a": "passed 0.2", "b": "failed"})
        new = self.run_file("new", {"a": "passed 0.9", "b": "passed"})
        self.expect(0, ["fixed: 1", "slower: 1"], "compare", old, new)
        self.expect(1, [], "compare", "--slow-fails", old, new)
        self.expect(0, ["no case differs"], "compare", old, old)

    def test_a_machine_that_is_slower_as_a_whole(self) -> None:
        old = self.run_file("old", {f"c{n}": "passed 0.5" for n in range(20)})
        cases = {f"c{n}": "passed 1.5" for n in range(20)}
        out = self.expect(0, [], "compare", old, self.run_file("new", cases))
        self.assertNotIn("slower", out)
        cases["c7"] = "passed 9"
        new = self.run_file("new", cases)
        self.expect(0, ["slower: 1\n  i/c7@h"], "compare", old, new)

    def test_changes_of_verdicts_that_are_no_failures(self) -> None:
        old = {"a": "known", "b": "passed", "c": "skipped", "d": "failed", "e": "failed"}
        new = {"a": "passed", "b": "mismatch", "c": "passed", "d": "crashed", "e": "skipped"}
        words = ["otherwise changed: 4\n  i/a@h: known -> passed\n  i/b@h: passed -> mismatch\n"]
        words += ["  i/c@h: skipped -> passed\n  i/d@h: failed -> crashed"]
        words += ["newly skipped: 1\n  i/e@h: was failed"]
        self.expect(1, words, "compare", self.run_file("old", old), self.run_file("new", new))

    def test_one_hypervisor_with_another(self) -> None:
        self.image("a", ["one", "two"], _GOOD)
        self.adapter("other", "[machines]\nany = 'm'\npc = 'm'\nq35 = 'q'")
        old, new = str(self.root / "old"), str(self.root / "new")
        self.expect(0, [], "--on", "fake", "--json", old)
        self.image("b", ["one", "two"], _GOOD, "needs = vmx")
        self.image("c", ["one"], 'boot(1); case(1, "one", "fail"); end()')
        self.expect(1, [], "--on", "other", "--json", new)
        words = ["on: fake -> other\n", "new failures: 1\n  c/one: failed"]
        self.expect(1, words, "compare", old, new)
        self.expect(1, ["gone: 1\n  c: all 1 case\n"], "compare", new, old)
        self.adapter("fake", "offers = ['vmx']")
        self.expect(1, [], "--on", "fake,other", "--machine", "pc,q35", "--json", old)
        words = ["no hypervisor is in both", "fake; other,machine=pc; other,machine=q35 in the"]
        self.expect(2, words, "compare", old, new)
        words = ["--on", "fake", "--on", "other,machine=q35"]
        said = ["on: fake -> other,machine=q35", "b: all 2 cases: needs vmx, which other,"]
        out = self.expect(1, said, "compare", *words, old, old)
        self.assertNotIn("new failures", out)  # it fails on both
        words = ["--on", "other,machine=pc", "--on", "other,machine=q35"]
        self.expect(0, [], "compare", *words, old, old)
        self.expect(0, ["no case differs"], "compare", "--on", "fake", old, old)
        self.expect(2, ["--on pc: there are no results of it"], "compare", "--on", "pc", old, old)
        self.expect(2, ["for both files, or one for each"], "compare", *["--on", "x"] * 3, old, old)

    def test_whole_images_that_are_gone_or_new(self) -> None:
        self.image("a", ["one", "two"], _GOOD)
        self.image("b", ["one", "two"], _GOOD)
        old, new = str(self.root / "old"), str(self.root / "new")
        self.expect(0, [], "--json", old)
        self.expect(0, [], "a", "--json", new)
        self.expect(1, ["gone: 1\n  b@fake: all 2 cases\n"], "compare", old, new)
        self.expect(0, ["new cases: 1\n  b@fake: all 2 cases\n"], "compare", new, old)

    def test_usage(self) -> None:
        old = self.run_file("old", {"a": "passed"})
        self.expect(2, ["nowhere: No such file"], "compare", old, "nowhere")
        self.expect(2, ["arguments are required: NEW"], "compare", old)
        Path(old).write_text("{}\n", encoding="utf-8")
        self.expect(2, ["old:1: is no line of results"], "compare", old, old)
        Path(old).write_text("", encoding="utf-8")
        self.expect(2, ["old: is empty"], "compare", old, old)

    def test_files_that_a_run_wrote(self) -> None:
        self.image("image", ["one", "two"], _GOOD)
        old, new = str(self.root / "old"), str(self.root / "new")
        self.expect(0, [], "--json", old)
        self.image("image2", ["one"], 'boot(1); case(1, "one", "fail"); end()')
        self.expect(1, [], "--json", new, "--repeat", "2")
        self.expect(1, ["image2/one@fake: failed"], "compare", old, new)


class Host(Bench):
    def test_context(self) -> None:
        files = {
            "proc/cpuinfo": "model name\t: A  CPU\nmicrocode\t: 0x7\nflags\t: fpu vmx hypervisor\n",
            "proc/meminfo": "MemTotal:  2048 kB\n",
            "sys/module/kvm_intel/parameters/ept": "N\n",
            "sys/module/kvm/parameters/tdp_mmu": "Y\n",
        }
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        found = host.context(self.root)
        wanted = {"cpu": "A CPU", "microcode": "0x7", "virtualisation": "vmx"}
        wanted.update({"in_a_guest": "yes", "memory_mib": "2"})
        wanted.update({"kvm_intel.ept": "N", "kvm.tdp_mmu": "Y"})
        for key, value in wanted.items():
            self.assertEqual(found.get(key), value, key)
        self.assertIn(os.uname().release, found["kernel"])


if __name__ == "__main__":
    unittest.main()
