#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Shows for every rule of check_docs.py what it finds and what it lets pass."""

import os
import subprocess
import sys
import tempfile
import unittest

import check_docs

CODE = """\
int before;
// [one]
namespace x {
  int a;
  // [two]
  int b;
  // [/two]
}
// [/one]
"""

GOOD = {
    "README.md": "# Top\n\n<!-- code: examples/a.cc#two -->\n```cpp\nint b;\n```\n",
    "examples/a.cc": CODE,
    "docs/guide.md": (
        "# Guide\n\n[x](../README.md#top) [y](#guide) `examples/a.cc` https://example.org\n\n"
        "| `kOne` | 101 | one |\n\n| `settee.x.calls` | counter | calls |\n"
    ),
    "docs/limits.md": (
        "# Limits\n\n<!-- limits -->\n| Limit | Default | What | Counted |\n| --- | --- | --- | --- |\n"
        "| `Options::size` | 2 MiB | closed | `settee.x.calls` |\n"
        "| `Options::wait` | 1 500 ms | ends | nothing |\n"
        "| `Queue` | 1 024 | dropped | nothing |\n"
        "<!-- /limits -->\n"
    ),
    "settee/base/error.h": "enum class Code {\n  kOne = 101,  ///< one\n};\n",
    "settee/x.h": (
        "// See docs/guide.md.\n"
        "struct Options {\n  constexpr Options() noexcept {}\n  std::string name = {};\n"
        "  std::size_t size = 2 * 1024 * 1024;  ///< of x; or y\n"
        "  std::chrono::milliseconds wait{1'500};\n};\n"
        "explicit Queue(int max = 1024);\n"
    ),
    "settee/x.cc": 'Counter& a = stats.counter("settee.x.calls", "1", "Calls");\n',
}


class CheckDocsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = check_docs.Tree(folder.name)
        for path, text in GOOD.items():
            self.put(path, text)
        self.addCleanup(setattr, check_docs, "LIMIT_STRUCTS", check_docs.LIMIT_STRUCTS)
        self.addCleanup(setattr, check_docs, "LIMIT_PATTERNS", check_docs.LIMIT_PATTERNS)
        check_docs.LIMIT_STRUCTS = (("settee/x.h", "Options", "Options", {"name"}),)
        check_docs.LIMIT_PATTERNS = (("Queue", "settee/x.h", r"max = (\d+)\)"),)

    def put(self, path, text):
        os.makedirs(os.path.join(self.tree.root, os.path.dirname(path)), exist_ok=True)
        self.tree.write(path, text)

    def change(self, path, old, new):
        text = self.tree.read(path)
        self.assertIn(old, text)
        self.put(path, text.replace(old, new))

    def findings(self, rule):
        return [str(f) for f in check_docs.check(self.tree, [rule])]

    def finds(self, rule, words):
        found = self.findings(rule)
        self.assertTrue(any(words in line for line in found), f"'{words}' is not in {found}")

    def test_a_good_tree_passes(self):
        for rule in check_docs.RULES:
            self.assertEqual(self.findings(rule), [])

    def test_regions_lose_markers_and_indent(self):
        self.assertEqual(
            check_docs.quoted(self.tree, "examples/a.cc#one")[0], "namespace x {\n  int a;\n  int b;\n}\n"
        )
        self.assertEqual(check_docs.quoted(self.tree, "examples/a.cc#two")[0], "int b;\n")

    def test_code(self):
        self.change("examples/a.cc", "int b;", "long b;")
        self.finds("code", "README.md:3: code: differs")
        check_docs.update_code(self.tree)
        self.assertEqual(self.findings("code"), [])
        self.assertIn("```cpp\nlong b;\n```\n", self.tree.read("README.md"))
        self.change("README.md", "#two", "#three")
        self.finds("code", "no region [three]")
        self.change("README.md", "a.cc", "b.cc")
        self.finds("code", "no file examples/b.cc")
        self.change("README.md", "<!-- code: examples/b.cc#three -->\n", "")
        self.finds("code", "a cpp block without")

    def test_links(self):
        self.change("docs/guide.md", "#top", "#bottom")
        self.finds("links", "no heading for #bottom")
        self.change("docs/guide.md", "README.md", "NO.md")
        self.finds("links", "leads to NO.md")
        self.change("docs/guide.md", "`examples/a.cc`", "`examples/c.cc`")
        self.finds("links", "there is no examples/c.cc")
        self.change("settee/x.h", "docs/guide.md.", 'docs/guide.md, section\n// "Other".')
        self.finds("links", 'refers to the section "Other" of docs/guide.md')
        self.change("settee/x.h", "docs/guide.md", "docs/none.md")
        self.finds("links", "refers to docs/none.md, which does not exist")
        self.put("settee/y.h", "// format.md in this folder\n")
        self.finds("links", "refers to settee/format.md")

    def test_limits(self):
        self.change("settee/x.h", "2 * 1024", "3 * 1024")
        self.finds("limits", "the default of Options::size is 3 MiB")
        self.change("settee/x.h", "wait{1'500}", "pause{1'500}")
        self.finds("limits", "no row for Options::pause (default 1 500 ms)")
        self.finds("limits", "Options::wait is no limit any more")
        check_docs.update_limits(self.tree)
        self.finds("limits", "what happens beyond Options::pause is not said")
        self.finds("limits", "what counts it is not said for Options::pause")
        self.assertIn("| `Options::size` | 3 MiB | closed |", self.tree.read("docs/limits.md"))
        self.change("settee/x.cc", "settee.x.calls", "settee.x.others")
        self.finds("limits", "there is no counter settee.x.calls")
        self.change("settee/x.h", "struct Options", "struct Settings")
        self.finds("limits", "has no struct Options any more")

    def test_tables(self):
        self.change("settee/base/error.h", "101", "102")
        self.finds("tables", "no row `kOne` | 102")
        self.change("settee/x.cc", "settee.x.calls", "settee.x.others")
        self.finds("tables", "no row `settee.x.others`")
        self.finds("tables", "nothing counts settee.x.calls")

    def test_tests(self):
        self.put("docs/threat-model.md", "| flood | `options.size` | `FloodTest.IsStopped` |\n")
        self.put("settee/x_test.cc", "TEST_F(FloodTest, IsStopped) {\n}\n")
        self.assertEqual(self.findings("tests"), [])
        self.change("settee/x_test.cc", "IsStopped", "Ends")
        self.finds("tests", "there is no test FloodTest.IsStopped")

    def test_width(self):
        self.put("README.md", "x" * 101 + "\n| " + "y" * 200 + " |\n")
        self.assertEqual(self.findings("width"), ["README.md:1: width: 101 columns"])

    def test_the_program(self):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_docs.py")
        run = subprocess.run(
            [sys.executable, program, "--root", self.tree.root, "code", "width"], capture_output=True
        )
        self.assertEqual((run.returncode, run.stdout), (0, b""))
        self.change("README.md", "int b;", "int c;")
        run = subprocess.run(
            [sys.executable, program, "--root", self.tree.root, "code"], capture_output=True, text=True
        )
        self.assertEqual(run.returncode, 1)
        self.assertIn("README.md:3: code: differs from examples/a.cc#two", run.stdout)


if __name__ == "__main__":
    unittest.main()
