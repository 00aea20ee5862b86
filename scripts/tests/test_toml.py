# SPDX-License-Identifier: BSD-2-Clause
"""The TOML reader: what it reads means what others read, and what it refuses it places."""

from __future__ import annotations

import importlib
import unittest

import support  # noqa: F401

from runner import toml
from runner.errors import UserError
from runner.hypervisor import FOLDER

_GOOD = r"""
# a comment
text = "a \"quoted\" \\ word\tand é \u00e9 \U0001F600"
literal = 'C:\no escapes # here'  # behind a value
number = 42
negative = -7
grouped = 1_000
yes = true
no = false
empty = []
list = [ "one", 'two',
    # between
    "three", ]
"quoted key" = ""
[table]
key = "value"
[[many]]
a = 1
[[many]]
a = 2
"""

_BAD = {
    "key": "f:1: expected '=' after 'key'",
    "key = ": "f:1: expected a string",
    "a = 1\na = 2": "f:2: 'a' is defined a second time",
    "[t]\n[t]": "f:2: 't' is defined a second time",
    "[[t]]\n[t]": "f:2: 't' is defined a second time",
    "[t]\n[[t]]": "f:2: 't' is defined a second time",
    "a = 'x": "f:1: this string does not end",
    'a = "\\q"': "f:1: unknown escape",
    'a = "\\ud800"': "f:1: '\\ud800' is no Unicode",
    'a = """x"""': "f:1: strings over several lines",
    "a = 1.5": "f:1: expected a string, an integer",
    "a = 01": "f:1: expected a string, an integer",
    "a = 2024-01-01": "f:1: expected a string, an integer",
    "a = TRUE": "f:1: expected a string, an integer",
    "a = [1]": "f:1: an array holds strings only",
    "\na = ['x' 'y']": "f:2: expected ',' or ']'",
    "a = ['x'": "f:1: expected ',' or ']'",
    "a.b = 1": "f:1: dotted keys",
    "[a.b]": "f:1: dotted names",
    "a = {}": "f:1: expected a string, an integer",
    "a = 1 b = 2": "f:1: unexpected 'b'",
    "[t": "f:1: this header does not end",
    "= 1": "f:1: expected a key",
    "a = 'x\x01'": "f:1: control characters",
}


class Toml(unittest.TestCase):
    def test_values(self) -> None:
        plain = toml.parse(_GOOD, "f").plain()
        self.assertEqual(plain["text"], 'a "quoted" \\ word\tand é é \U0001F600')
        self.assertEqual(plain["literal"], "C:\\no escapes # here")
        self.assertEqual(plain["list"], ["one", "two", "three"])
        self.assertEqual(plain["grouped"], 1000)
        self.assertIs(plain["yes"], True)
        self.assertEqual(plain["many"], [{"a": 1}, {"a": 2}])

    def test_errors_have_file_and_line(self) -> None:
        for text, message in _BAD.items():
            with self.subTest(text=text):
                with self.assertRaises(UserError) as caught:
                    toml.parse(text, "f")
                self.assertTrue(str(caught.exception).startswith(message), str(caught.exception))

    def test_same_as_tomllib(self) -> None:
        try:
            tomllib = importlib.import_module("tomllib")
        except ImportError:
            self.skipTest("Python before 3.11 has no tomllib")
        texts = [path.read_text(encoding="utf-8") for path in FOLDER.glob("*.toml")]
        self.assertGreaterEqual(len(texts), 3)
        for text in [*texts, _GOOD, _GOOD.replace("\n", "\r\n"), ""]:
            self.assertEqual(toml.parse(text, "f").plain(), tomllib.loads(text))


if __name__ == "__main__":
    unittest.main()
