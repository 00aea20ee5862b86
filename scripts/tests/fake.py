# SPDX-License-Identifier: BSD-2-Clause
"""A hypervisor that pretends: fake.py IMAGE ARGS FOLDER runs the lines of IMAGE.guest.

The lines see the guest's command line and a few words to speak with.
"""

import os
import sys
import time

image, args, folder = sys.argv[1:4]
words = dict(word.split("=", 1) for word in args.split() if "=" in word)
resume = int(words.get("resume", "0"))
counts = {"passed": 0, "failed": 0, "skipped": 0, "checks": 0}


def say(*lines: str) -> None:
    """Lines on the console."""
    sys.stdout.write("".join(line + "\n" for line in lines))
    sys.stdout.flush()


def boot(plan: int) -> None:
    """The first lines of a report."""
    say("TAP version 14", f"# shadowbox image=fake seed=1 resume={resume}", f"1..{plan}")


def case(number: int, name: str, result: str = "ok", checks: int = 1) -> None:
    """A whole case, unless an earlier launch has done it."""
    if number > resume:
        say(f"# begin {name}")
        over(number, name, result, checks)


def over(number: int, name: str, result: str = "ok", checks: int = 1) -> None:
    """The result of a case that has begun."""
    skip = " # SKIP needs luck: there is none" if result == "skip" else ""
    say(f"{'not ok' if result in ('fail', 'mismatch') else 'ok'} {number} - {name}{skip}")
    if result in ("fail", "mismatch"):
        say("  ---", "  message: |", "    it went wrong", "  expected: |", "    completes")
        say("  observed: |", "    #PF", "  at: x.c:9")
        say(*["  class: model mismatch"][: result == "mismatch"], "  ...")
    say(f"# checks {checks}")
    counts[{"ok": "passed", "fail": "failed", "mismatch": "failed", "skip": "skipped"}[result]] += 1
    counts["checks"] += checks


def end() -> None:
    """The last word."""
    say("# end " + " ".join(f"{key}={value}" for key, value in counts.items()))


def begin(number: int, name: str) -> bool:
    """The start of a case that will not end well; False when an earlier launch has tried it."""
    if number > resume:
        say(f"# begin {name}")
    return number > resume


with open(image + ".guest", encoding="utf-8") as file:
    exec(compile(file.read(), image + ".guest", "exec"))  # the test wrote it
assert os and time
