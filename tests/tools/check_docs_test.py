#!/usr/bin/env python3
"""Proves that check_docs.py finds each kind of fault: a copy of the documents is broken."""

import os
import shutil
import tempfile
import unittest

import check_docs

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
CASES = [
    # what is looked for, file, text, what replaces it
    ("there is no docs/gone.md", "docs/volumes.md", "# Volumes", "[x](gone.md)\n# Volumes"),
    ("has no heading for #gone", "docs/volumes.md", "# Volumes", "[x](errors.md#gone)\n# Volumes"),
    ("flag --max-stale is missing", "docs/operations.md", "| `--max-stale`", "| `max-stale`"),
    ("no flag --max-stales", "docs/operations.md", "| `--max-stale`", "| `--max-stales`"),
    ("esc_agent_volumes is missing", "docs/metrics.md", "| `esc_agent_volumes` |", "| volumes |"),
    ("no metric esc_agent_pods", "docs/metrics.md", "| `esc_agent_volumes` |", "| `esc_agent_pods` |"),
    ("no metric esc_agent_pods", "docs/volumes.md", "# Volumes", "`esc_agent_pods`\n# Volumes"),
    ("event reason Restarted is missing", "docs/errors.md", "| `Restarted` |", "| Restarted |"),
    ("no event reason Rolled", "docs/errors.md", "| `Restarted` |", "| `Rolled` |"),
]


class CheckDocsTest(unittest.TestCase):
    def setUp(self):
        self.root = os.path.join(tempfile.mkdtemp(), "root")
        self.addCleanup(shutil.rmtree, os.path.dirname(self.root))
        for folder in ["agent", "chart", "docs", "manifests"]:
            shutil.copytree(os.path.join(ROOT, folder), os.path.join(self.root, folder))
        for name in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"]:
            shutil.copy(os.path.join(ROOT, name), self.root)

    def test_the_documents_are_fine(self):
        self.assertEqual(check_docs.check(self.root), [])

    def test_each_fault_is_found(self):
        for words, path, old, new in CASES:
            with self.subTest(words=words, path=path):
                text = check_docs.read(self.root, path)
                self.assertIn(old, text)
                self.write(path, text.replace(old, new, 1))
                found = check_docs.check(self.root)
                self.assertTrue(any(words in line for line in found), found)
                self.write(path, text)

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    unittest.main()
