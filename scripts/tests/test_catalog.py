# SPDX-License-Identifier: BSD-2-Clause
"""unittests.cfg and adapter files: strict, and every complaint has a file and a line."""

from __future__ import annotations

import unittest
from pathlib import Path

import support  # noqa: F401

from runner import adapter, catalog, toml
from runner.errors import UserError
from runner.hypervisor import FOLDER, Adapter, Requirement, version_in
from runner.needs import NEEDS

_PATH = Path("/tree/unittests.cfg")
_CFG_ERRORS = {
    "key = 1": "1: a key before the first",
    "[a]\nnonsense": "2: expected '[image]' or 'key = value'",
    "[a]\nfoo = 1": "2: unknown key 'foo'",
    "[a]\nneeds = warp": "2: unknown need 'warp'",
    "[a]\n\n[b]\n[a]": "4: [a] is already defined in line 1",
    "[a]\ncpus = 1\ncpus = 2": "3: 'cpus' is set twice",
    "[a]\ncpus = two": "2: expected a number",
    "[a]\ncpus = 0": "2: expected a number from 1",
    "[a]\ntimeout = -1": "2: expected a number",
    "[a]\nmemory = ²": "2: expected a number",
    "[a]\nmachine = vax": "2: unknown machine 'vax'",
    "[a]\nargs =": "2: 'args' has no value",
    "[a b]": "1: expected '[image]'",
    "[a": "1: expected '[image]'",
    "[../a]": "1: expected '[image]'",
}
_TOP = "description = 'd'\nprogram = 'p'\ncommand = ['p']\n"
_ADAPTER_ERRORS = {
    "description = 'd'\nprogram = 'p'": "f:1: 'command' is missing",
    _TOP + "offers = ['warp']": "f:4: unknown need 'warp'",
    _TOP + "sound = true": "f:4: unknown key 'sound'",
    _TOP + "console = 'radio'": "f:4: 'console' is 'radio', not one of",
    _TOP + "auto = 'yes'": "f:4: 'auto' must be a number",
    _TOP + "tentative = 1": "f:4: 'tentative' must be true or false",
    _TOP + "gdb = 'x'": "f:4: 'gdb' must be an array",
    _TOP + "[colours]": "f:4: unknown table [colours]",
    _TOP + "[[colours]]": "f:4: unknown table [[colours]]",
    _TOP + "[machines]\nvax = 'v'": "f:5: unknown machine 'vax'",
    _TOP + "[[known]]\ncase = 'x'\nreason = 'r'": "f:5: 'x' is not of the form image/case",
    _TOP + "[[known]]\ncase = 'x/y'": "f:4: 'reason' is missing",
    _TOP
    + "[[known]]\ncase = 'x/y'\nreason = 'r'\nversions = 'old'": "f:7: 'old' is not of the form",
    _TOP + "[[symptom]]\nkind = 'odd'": "f:5: 'kind' is 'odd', not one of",
    _TOP + "noise = '('": "f:4: 'noise' is no regular expression",
    _TOP + "[[file]]\nname = '../x'\nlines = []": "f:5: '../x' is no plain file name",
}


class Catalog(unittest.TestCase):
    def test_values(self) -> None:
        text = "# c\n[one]\n; c\n[two]\nfile = x86/other.flat\nneeds = vmx la57\ncpus = 2\n"
        text += "machine = q35\nmemory = 64\nargs = a=1 b\ngroups = x y\ntimeout = 5\nsilence = 3\n"
        one, two = catalog.parse(text, _PATH)
        self.assertEqual(one.file, Path("/tree/x86/one.flat"))
        self.assertEqual((one.cpus, one.memory, one.machine), (1, 256, "any"))
        self.assertEqual(two.file, Path("/tree/x86/other.flat"))
        self.assertEqual(two.needs, ("vmx", "la57", "cpus", "pci"))
        self.assertEqual(two.args, ("a=1", "b"))
        self.assertEqual((two.timeout, two.silence, two.memory), (5, 3, 64))

    def test_errors_have_file_and_line(self) -> None:
        for text, message in _CFG_ERRORS.items():
            with self.subTest(text=text):
                with self.assertRaises(UserError) as caught:
                    catalog.parse(text, _PATH)
                self.assertTrue(str(caught.exception).startswith(f"{_PATH}:{message}"))

    def test_own_catalog_is_sound(self) -> None:
        catalog.load(Path(__file__).resolve().parents[2] / "unittests.cfg")


class Adapters(unittest.TestCase):
    def test_all_of_the_tree_load(self) -> None:
        adapters = adapter.load_all()
        self.assertEqual(list(adapters)[:3], ["qemu-kvm", "qemu-tcg", "bochs"])
        for path in FOLDER.glob("*.toml"):
            lines = path.read_text(encoding="utf-8").count("\n")
            self.assertLessEqual(lines, 100, f"{path} is too long for data")

    def test_errors_have_file_and_line(self) -> None:
        for text, message in _ADAPTER_ERRORS.items():
            with self.subTest(text=text):
                with self.assertRaises(UserError) as caught:
                    adapter.read(toml.parse(text, "f"), "name")
                self.assertTrue(str(caught.exception).startswith(message), str(caught.exception))

    def test_versions(self) -> None:
        for version, wanted, expected in [
            ("7.2.22", "<8.0", True),
            ("8.0", "<8.0", False),
            ("8.0.1", "<8.0", False),
            ("10.0.2", "<8.0", False),
            ("7.2.22", "=7.2", True),
            ("7.2.22", "<=7.2", True),
            ("7.2.22", ">7.2", False),
            ("7.3", ">7.2", True),
            ("7.2", ">=7.2.0", True),
            ("7.2.22", ">=7, <9", True),
            ("9.1", ">=7, <9", False),
            ("7.2.21", "<7.2.22 or >=8,<10.0.6", True),
            ("7.2.22", "<7.2.22 or >=8,<10.0.6", False),
            ("10.0.2", "<7.2.22 or >=8,<10.0.6", True),
            ("10.0.6", "<7.2.22 or >=8,<10.0.6", False),
            ("2.7", "", True),
            ("", "<8", True),
        ]:
            self.assertEqual(version_in(version, wanted), expected, (version, wanted))

    def test_requirements(self) -> None:
        self.assertFalse(Requirement("/nonexistent", "").met())
        self.assertTrue(Requirement("/dev/null", "", access="rw").met())

    def test_needs_are_explained(self) -> None:
        self.assertTrue(all(NEEDS.values()))
        one, two = catalog.parse("[a]\n[b]\nneeds = vmx\nmachine = q35\n", _PATH)
        fake = Adapter("x", "", "p", [], machines={"any": "m"}, offers=["pci"])
        self.assertEqual(fake.lacks(one), "")
        self.assertIn("needs vmx", fake.lacks(two))
        fake.offers.append("vmx")
        self.assertIn("machine q35", fake.lacks(two))


if __name__ == "__main__":
    unittest.main()
