# SPDX-License-Identifier: BSD-2-Clause
"""Properties of the parser: never an exception, never a pass without a complete report."""

from __future__ import annotations

import random
import re
import unittest
from typing import List

from support import GOLDEN, judge

from runner.launch import Ending
from runner.protocol import Parser, clean

# Logs in all: 100,000, which takes ten seconds of CPU time.
_MUTATED, _COMPOSED, _RANDOM = 80000, 18000, 2000
_NOISE = [b"\x00", b"\xff\xfe", b"\x1b[2J", b"\n", b"\r\n", b"ok 1 - x\n", b"  ---\n", b"  ...\n"]
_LINES = [b"not ok 1 - c1", b"1..2 # SKIP x", b"# begin c2", b"# checks 0", b"ok 2 - c2", b"  ---"]
_LINES += [b"Bail out! x", b"# end", b"# exception #PF", b"ok 1 - c2 # SKIP", b"TAP version 14"]
_NOISE += [
    b"# end\n",
    b"1..3\n",
    b"TAP version 14\n",
    b"Bail out!",
    b"not ",
    b"# begin x\n",
    b"9" * 40,
]


def _mutate(data: bytes, rng: random.Random) -> bytes:
    """One small accident of the kinds that happen to logs."""
    at = rng.randrange(len(data) + 1)
    to = min(len(data), at + rng.randrange(40))
    lines = data.splitlines(True)
    kind = rng.randrange(8)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[to:]
    if kind == 2:
        return data[:at] + rng.choice(_NOISE) + data[at:]
    if kind == 3:
        return data[:at] + bytes([rng.randrange(256)]) + data[to:]
    if kind == 4:
        return data[:at] + data[at:to] * 2 + data[to:]
    if lines and kind == 5:
        del lines[rng.randrange(len(lines))]
    elif lines and kind == 6:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    else:
        rng.shuffle(lines)
    return b"".join(lines)


def _composed(rng: random.Random) -> bytes:
    """Lines of a report, each of which may be the right one here, a wrong one, or not there."""
    plan, passed, skipped = rng.randrange(4), 0, 0
    lines = [b"TAP version 14", b"1..%d" % plan]
    for number in range(1, plan + 1):
        skip = not rng.randrange(4)
        passed, skipped = passed + (not skip), skipped + skip
        lines += [b"# begin c%d" % number]
        lines += [b"ok %d - c%d%s" % (number, number, b" # SKIP needs luck" * skip), b"# checks 1"]
    lines.append(b"# end passed=%d failed=0 skipped=%d checks=%d" % (passed, skipped, plan))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        at = rng.randrange(len(lines) + 1)
        to = at + rng.randrange(3)
        lines[at:to] = rng.sample(lines + _LINES, rng.randrange(3))
    return b"\n".join(lines) + b"\n" * rng.randrange(2)


def _really_complete(data: bytes) -> bool:
    """A second, naive reader: does a log hold one whole report without a failure?"""
    text = "\n".join(clean(line) for line in data.split(b"\n")[:-1])
    before, _, text = text.partition("TAP version 14\n")
    end = re.search(r"^# end(?: [a-z]+=\d+)*$", text, re.MULTILINE)
    plan = re.search(r"^1\.\.(\d+)( # SKIP.*)?$", text, re.MULTILINE)
    if not end or not plan:
        return False
    said = dict(word.split("=") for word in end.group().split()[2:])
    last = end.start()
    text = text[:last]
    results = re.findall(r"^(not )?ok (\d+) - (\S+)( # SKIP)?", text, re.MULTILINE)
    skips = sum(bool(result[3]) for result in results)
    return (
        [int(result[1]) for result in results] == list(range(1, int(plan.group(1)) + 1))
        and not any(result[0] for result in results)
        and re.findall(r"^# begin (\S+)$", text, re.MULTILINE) == [r[2] for r in results]
        and (said["passed"], said["failed"]) == (str(len(results) - skips), "0")
        and said["skipped"] == str(skips)
        and "TAP version 14\n" not in text
    )


class Properties(unittest.TestCase):
    def never_passes_wrongly(self, data: bytes) -> bool:
        """Whether the log is a pass, which only a complete report may be."""
        good = judge(data, Ending(status=0)).good
        if good and not _really_complete(data):
            self.fail(f"passes, and is no complete report: {data!r}")
        return good

    def test_mutated_logs(self) -> None:
        rng = random.Random(20240229)
        logs = [path.read_bytes() for path in sorted(GOLDEN.glob("*.log"))]
        passes = 0
        for _ in range(_MUTATED):
            data = rng.choice(logs)
            for _ in range(rng.randrange(1, 4)):
                data = _mutate(data, rng)
            passes += self.never_passes_wrongly(data)
        self.assertGreater(passes, _MUTATED // 100, "the mutations are too rough")

    def test_composed_logs(self) -> None:
        rng = random.Random(13)
        passes = sum(self.never_passes_wrongly(_composed(rng)) for _ in range(_COMPOSED))
        self.assertGreater(passes, _COMPOSED // 10, "the mistakes are too rough")
        self.assertLess(passes, _COMPOSED // 2, "there are hardly any mistakes")

    def test_chunks_do_not_matter(self) -> None:
        rng = random.Random(7)
        for path in sorted(GOLDEN.glob("*.log")):
            data = path.read_bytes()
            whole = Parser()
            whole.feed(data)
            pieces = Parser()
            at = 0
            while at < len(data):
                to = at + rng.randrange(1, 9)
                pieces.feed(data[at:to])
                at = to
            self.assertEqual(pieces.finish(), whole.finish(), path.name)

    def test_random_bytes(self) -> None:
        rng = random.Random(11)
        for _ in range(_RANDOM):
            self.assertFalse(self.never_passes_wrongly(rng.randbytes(400)))

    def test_a_line_without_end_stays_cheap(self) -> None:
        parser = Parser()
        for _ in range(40):
            parser.feed(b"x" * 65536)
        parser.feed(b"\nTAP version 14\n")
        self.assertEqual(parser.report.boots, 1)

    def test_remarks_are_bounded(self) -> None:
        parser = Parser()
        lines: List[bytes] = [b"TAP version 14\n1..1\n# begin x\n"]
        lines += [b"# exception #PF\n# note again\n1..1\n# checks 1\n"] * 1000
        parser.feed(b"".join(lines))
        report = parser.report
        most = max(len(report.pending), len(report.notes), len(report.problems))
        self.assertLessEqual(most, 200)

    def test_banner_behind_firmware_output_on_the_same_line(self) -> None:
        result = judge(b"Booting...\x1b[0mTAP version 14\r\n1..0 # SKIP nothing\n# end", Ending())
        self.assertEqual(result.planned, 0)
        parser = Parser()
        parser.feed(b"# about TAP version 14 reports\n1..1\n")
        self.assertEqual(parser.report.boots, 0)


if __name__ == "__main__":
    unittest.main()
