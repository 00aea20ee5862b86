# SPDX-License-Identifier: BSD-2-Clause
"""The rules of the house for Python files: old syntax, short files, a licence, an explanation."""

from __future__ import annotations

import ast
import unittest
from pathlib import Path
from typing import List

_SCRIPTS = Path(__file__).resolve().parents[1]
_FILES = [*_SCRIPTS.glob("runner/**/*.py"), *_SCRIPTS.glob("tests/*.py"), _SCRIPTS.parent / "run"]


def _scripts() -> List[Path]:
    """All Python of the tree: also programs without .py."""
    names = [path for path in _SCRIPTS.glob("**/*") if path.is_file()]
    return [
        path
        for path in [*names, _SCRIPTS.parent / "run"]
        if path.suffix == ".py" or path.read_bytes()[:40].startswith(b"#!/usr/bin/env python3\n")
    ]


class House(unittest.TestCase):
    def test_syntax_is_that_of_3_9(self) -> None:
        paths = _scripts()
        self.assertGreater(len(paths), len(_FILES))
        for path in paths:
            with self.subTest(file=path.name):
                ast.parse(path.read_text(encoding="utf-8"), path.name, feature_version=(3, 9))

    def test_every_file(self) -> None:
        for path in _FILES:
            with self.subTest(file=path.name):
                text = path.read_text(encoding="utf-8")
                lines = text.splitlines()
                self.assertLessEqual(len(lines), 350)
                self.assertIn("SPDX-License-Identifier: BSD-2-Clause", "\n".join(lines[:2]))
                self.assertTrue(ast.get_docstring(ast.parse(text, path.name)))

    def test_functions_are_short(self) -> None:
        for path in _FILES:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    length = (node.end_lineno or 0) - node.lineno + 1
                    self.assertLessEqual(length, 45, f"{path.name}: {node.name}")


if __name__ == "__main__":
    unittest.main()
