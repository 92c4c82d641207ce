#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""A check that cannot fail is a defect: every rule of tree_check.py, on good and bad snippets."""

import os
import subprocess
import sys
import tempfile
import unittest

import tree_check
from tree_check import check_text

HEADER = "settee/base/x.h"


class Case(unittest.TestCase):
    rule = ""
    path = HEADER

    def found(self, text, path=None):
        return [(f.line, f.message) for f in check_text(path or self.path, text, [self.rule])]

    def good(self, text, path=None):
        self.assertEqual(self.found(text, path), [], text)

    def bad(self, text, line=None, path=None):
        found = self.found(text, path)
        self.assertTrue(found, f"not found in: {text}")
        if line is not None:
            self.assertEqual([entry[0] for entry in found], [line], text)


class Licence(Case):
    rule = "licence"

    def test_sources_need_both_lines(self):
        good = "// Copyright The Settee Authors\n// SPDX-License-Identifier: Apache-2.0\nint x;\n"
        self.good(good)
        self.bad("int x;\n")
        self.bad("// Copyright The Settee Authors\nint x;\n")
        self.bad("#!/bin/sh\necho\n", path="setup")
        self.bad("project(x)\n", path="a/CMakeLists.txt")

    def test_data_needs_none(self):
        self.good("a: 1\n", path="a.yaml")
        self.good("# Title\n", path="README.md")


class PublicIncludes(Case):
    rule = "public-includes"

    def test_third_party(self):
        self.bad("#include <fmt/format.h>\n", 1)
        self.bad("#include <vector>\n#  include <openssl/ssl.h>\n", 2)
        self.bad("#include <google/protobuf/message.h>\n")
        self.bad('#include "x.h"\n')
        self.bad('#include "settee/base/internal/x.h"\n')

    def test_standard_and_own(self):
        self.good(
            "#include <vector>\n#include <coroutine>\n#include <sys/socket.h>\n"
            '#include "settee/base/detail/y.h"\n'
        )
        self.good("// #include <fmt/format.h>\n/* #include <spdlog/spdlog.h> */\n")

    def test_only_public_headers(self):
        for path in (
            "settee/base/x.cc",
            "settee/base/internal/x.h",
            "settee/base/my_test_util.h",
            "examples/a/x.h",
        ):
            self.good("#include <fmt/format.h>\n", path)
        self.bad("#include <fmt/format.h>\n", path="settee/rpc/bolt/x.h")
        self.bad("#include <fmt/format.h>\n", path="settee/rpc/detail/x.h")


class Floors(Case):
    rule = "floors"

    def include(self, path, header):
        return self.found(f'#include "{header}"\n', path)

    def test_downward(self):
        for path, header in [
            ("settee/rpc/server.cc", "settee/net/loop.h"),
            ("settee/rpc/bolt/codec.cc", "settee/rpc/call.h"),
            ("settee/net/loop.cc", "settee/net/internal/wheel.h"),
            ("settee/rpc/bolt/codec.cc", "settee/rpc/internal/y.h"),
            ("settee/tracer/zipkin_reporter.cc", "settee/http/client.h"),
            ("settee/rpc/rpc.h", "settee/rpc/bolt/bolt.h"),
            ("settee/rpc/server_test.cc", "settee/rpc/bolt/bolt.h"),
            ("apps/settee/main.cc", "settee/rpc/rpc.h"),
            ("settee/rpc/observe/x.cc", "settee/tracer/span.h"),
            ("settee/ark/x.cc", "settee/rpc/registry/y.h"),
        ]:
            self.assertEqual(self.include(path, header), [], (path, header))

    def test_upward_sideways_and_internal(self):
        for path, header in [
            ("settee/base/x.cc", "settee/net/loop.h"),
            ("settee/hessian/x.cc", "settee/net/loop.h"),
            ("settee/net/x_test.cc", "settee/hessian/value.h"),
            ("settee/rpc/server.cc", "settee/rpc/bolt/bolt.h"),
            ("settee/rpc/bolt/x.cc", "settee/rpc/rest/y.h"),
            ("settee/rpc/x.cc", "settee/tracer/span.h"),
            ("settee/rpc/rest/x.cc", "settee/lookout/y.h"),
            ("settee/tracer/span.cc", "settee/http/client.h"),
            ("settee/rpc/x.cc", "settee/net/internal/wheel.h"),
            ("settee/lookout/x.cc", "settee/tracer/span.h"),
            ("settee/rpc/x.cc", "settee/nosuch/y.h"),
            ("settee/newcomer/x.cc", "settee/base/y.h"),
            ("apps/settee/main.cc", "settee/net/internal/wheel.h"),
        ]:
            self.assertNotEqual(self.include(path, header), [], (path, header))

    def test_every_folder_is_on_a_floor(self):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "settee")
        for name in os.listdir(root):
            if os.path.exists(os.path.join(root, name, "CMakeLists.txt")):
                self.assertIn(name, tree_check.FLOOR_OF)


class HeaderState(Case):
    rule = "header-state"

    def test_thread_local(self):
        self.bad("namespace a {\nthread_local int x;\n}\n", 2)
        self.bad("inline int f() {\n  thread_local int x = 0;\n  return x;\n}\n")
        self.bad("struct A {\n  static inline thread_local int x = 0;\n};\n", 2)
        self.good("extern thread_local int x;\n")
        self.good("// thread_local int x;\nint f();\n")

    def test_function_local_static(self):
        self.bad("inline int& f() {\n  static int x = 0;\n  return x;\n}\n", 2)
        self.bad("struct A {\n  int& f() {\n    static int x;\n    return x;\n  }\n};\n", 3)
        self.bad(
            "struct A {\n  int& f() const noexcept override {\n    static int x;\n    return x; }\n};\n",
            3,
        )
        self.bad(
            "template <class T>\nconst T& f() {\n  if (true) {\n    static const T x{};\n    return x;\n  }\n}\n",
            4,
        )
        self.bad(
            "struct A {\n  A() : a_{1}, b_(2) {\n    static int x;\n  }\n  int a_; int b_;\n};\n", 3
        )
        self.bad("inline auto f = [] {\n  static int n = 0;\n  return ++n;\n};\n")
        self.bad(
            "inline void g() {\n  call([&](int a) {\n    static int n = 0;\n    n += a;\n  });\n}\n"
        )
        self.bad(
            "template <class T> requires (sizeof(T) > 1)\nint f(T t) {\n  static int n;\n  return n;\n}\n",
            3,
        )
        self.bad("inline auto f() -> int {\n  static int n;\n  return n;\n}\n", 2)
        self.bad(
            "struct A {\n  bool operator<(const A& o) const {\n    static int n;\n    return n;\n  }\n};\n",
            3,
        )

    def test_function_local_constexpr_and_static_members(self):
        self.good(
            "inline int f() {\n  static constexpr int kTable[] = {1, 2};\n  return kTable[0];\n}\n"
        )
        self.good(
            "struct A {\n  static int f() { return 1; }\n  static A make();\n  static int count_;\n};\n"
        )
        self.good("inline void f() { static_assert(true); int x = 1; use({x, 2}); }\n")
        self.good(
            "class A {\n public:\n  static constexpr int kX = 1;\n  static const char* name();\n"
            " private:\n  std::vector<int> items_{};\n  int x_ = 0;\n};\n"
        )

    def test_inline_variables(self):
        self.bad("namespace a::inline v0 {\ninline int x = 0;\n}\n", 2)
        self.bad("namespace a {\ninline std::atomic<int> x{0};\n}\n", 2)
        self.bad("namespace a {\ninline std::function<void(int)> hook;\n}\n", 2)
        self.bad("struct A {\n  int y;\n  inline static std::map<int, std::string> m;\n};\n", 3)
        self.bad("struct A {\n  static inline int count = 0;\n};\n", 2)
        self.bad('inline const char* name = "x";\n', 1)
        self.bad("[[maybe_unused]] inline int x = 0;\n")
        self.bad("alignas(64) inline int x = 0;\n")
        self.bad("template <class T>\ninline T value{};\n")
        self.bad("template <class T>\nT value{};\n")
        self.bad("template <class T>\nint Holder<T>::count = 0;\n")
        self.bad("namespace {\nstatic int x = 0;\n}\n")

    def test_constants_and_functions(self):
        self.good(
            'inline constexpr int kX = 1;\nconstexpr std::string_view kName = "x";\n'
            'inline const std::string kS = "a";\ninline const char* const kName = "x";\n'
        )
        self.good(
            "inline int f(int a = 0) { return a; }\nSETTEE_API int g();\ninline namespace v0 {}\n"
        )
        self.good(
            "template <class T>\ninline constexpr bool kIs = false;\n"
            "template <class T, class U = int>\nstruct A { T t{}; };\n"
            "template <class T>\nconcept C = requires(T t) { t.f(); };\n"
        )
        self.good("template <class T>\ninline T f(T t) noexcept(noexcept(t)) { return t; }\n")
        self.good(
            "struct A : B<int> {\n  A() = default;\n  bool operator==(const A&) const = default;\n"
            "  inline bool operator<(const A& o) const { return x < o.x; }\n  int x = 0;\n};\n"
        )
        self.good("enum class E { kA = 1, kB };\nusing F = std::function<void(int)>;\n")
        self.good("template <class T>\nclass SETTEE_API P final : public Q<T> {\n  T a;\n};\n")
        self.good(
            "template <>\nstruct std::hash<A> {\n  std::size_t operator()(const A&) const;\n};\n"
        )
        self.good('extern "C" {\nint f(void);\n}\nextern int g_count;\n')

    def test_macros_are_read_too(self):
        self.bad(
            "#define M(T) \\\n  inline T& get() { \\\n    static T x; \\\n    return x; \\\n  }\n",
            3,
        )
        self.bad("#define M(T) inline T variable_##T{};\n")
        self.bad("#define M(T) thread_local T x;\n")
        self.good(
            "#define M(T) \\\n  inline T get() { return T{}; }\n#define N static_cast<int>(1)\n"
        )

    def test_strings_do_not_confuse(self):
        self.good(
            "inline std::string f() { return \"static int x; {\"; }\nconstexpr char kC = '{';\n"
            "constexpr int kN = 1'000'000;\nconstexpr auto kR = R\"(static { thread_local)\";\n"
        )
        self.bad("inline char f() { return '\"'; }\ninline int x = 0;\n", 2)

    def test_other_files_are_free(self):
        self.good("thread_local int x;\nstatic int y;\n", path="settee/base/x.cc")
        self.good("thread_local int x;\n", path="settee/base/internal/x.h")


class CoAwaitAggregate(Case):
    rule = "co-await-aggregate"
    path = "examples/a/main.cc"

    def test_bad(self):
        self.bad("Task<> f() {\n  co_await g({1, 2});\n}\n", 2)
        self.bad("Task<> f() {\n  co_await g({.x = 1});\n}\n", 2)
        self.bad("Task<> f() {\n  auto r = co_await g(1, T{1});\n}\n", 2)
        self.bad("Task<> f() {\n  auto r = co_await client->call(ns::Quote{\n    .a = 1});\n}\n", 2)
        self.bad("Task<> f() {\n  use(co_await g(1, {}));\n}\n", 2)
        self.bad("Task<> f() { co_await g(std::array<int, 2>{1, 2}); }")
        self.bad("Task<> f() { co_await g(h(Pair<int, int>{1, 2})); }")
        self.bad("Task<> f() { co_await a(1); co_await b({1}); }")
        self.bad("Task<> f() { co_await g([]() -> Task<> { co_await h({1}); }); }")
        self.bad("Task<> f() { co_await when_all(a(), b(T{1})); }")
        self.bad("Task<> f() { co_await as_result(x ? a() : b()); }")

    def test_good(self):
        self.good("Task<> f() {\n  Quote q{.a = 1};\n  co_await g(std::move(q));\n}\n")
        self.good("Task<> f() { for (int i = 0; i < 2; ++i) { co_await g(i); } T t{1}; use({1}); }")
        self.good("Task<> f() { if (co_await g(1)) { h({1}); } else { k(T{1}); } }")
        self.good("Task<> f() { while (auto x = co_await s.next()) { h({1}); } }")
        self.good("Task<> f() { co_await g([x](int a) mutable -> Task<int> { co_return a; }); }")
        self.good("Task<> f() { co_await g([] { return T{1}; }); }")
        self.good("Task<> f() { co_await g([=]<class T>(T t) noexcept { return t; }); }")
        self.good(
            'Task<> f() { co_await g(std::string{"a"}, std::vector<int>{1, 2}, std::chrono::seconds{1}); }'
        )
        self.good("Task<> f() { co_await g(milliseconds{5}); }")
        self.good("Task<> f() { co_await Turn{loop}; }")
        self.good("Task<> f() { use(co_await g() ? 1 : 2); co_await g([x] { return x ? 1 : 2; }); }")
        self.good('// co_await g({1});\nconst char* s = "co_await g({1})";\n')
        self.good("Task<> f() { run(T{1}, co_await g(1)); }")

    def test_allowed_where_said(self):
        self.good(
            "Task<> f() {\n  co_await g({1});  // settee-check: allow co-await-aggregate, no members\n}\n"
        )
        self.bad("Task<> f() {\n  co_await g({1});  // settee-check: allow floors\n}\n")


class FileLength(Case):
    rule = "file-length"

    def test_limit(self):
        self.good("int x;\n" * 900)
        self.bad("int x;\n" * 901)
        self.bad("int x;\n" * 901, path="apps/settee/main.cc")
        self.good("int x;\n" * 901, path="settee/base/data.json")
        self.good("int x;\n" * 901, path="tests/x.cc")


class MachinePaths(Case):
    rule = "machine-paths"

    def test_paths(self):
        for path in ("/wo" + "rk/main/x", "/home" + "/anna/x", "/ro" + "ot/.m2", "/Us" + "ers/x"):
            self.bad(f"cd {path}\n", path="docs/x.md")
        for text in (
            "$HOME/x",
            "/usr/lib",
            "https://example.org/home",
            "a/home/x",
            "${root}/home/x",
            "/tmp/x",
            "http://localhost/work",
        ):
            self.good(text + "\n", path="docs/x.md")


class Unfinished(Case):
    rule = "unfinished"

    def test_marks(self):
        self.bad("// TO" + "DO: later\n")
        self.bad("# FIX" + "ME\n", path="x.py")
        self.good("// what there is to do: nothing\n")


class Artefacts(Case):
    rule = "artefacts"

    def test_products(self):
        for path in (
            "a/node_modules/b/c.js",
            "interop/java/target/x.txt",
            "x.so",
            "libs/x.jar",
            "a/__pycache__/b",
        ):
            self.bad("x", path=path)
        for path in ("settee/base/x.cc", "interop/java/pom.xml", "settee/rpc/target.h"):
            self.good("x", path=path)


class WholeProgram(unittest.TestCase):
    def test_exit_codes(self):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tree_check.py")
        with tempfile.TemporaryDirectory() as root:

            def run(*rules):
                return subprocess.run(
                    [sys.executable, program, "--root", root, *rules],
                    capture_output=True,
                    text=True,
                    check=False,
                )

            self.assertEqual(run().returncode, 2)  # no files: nothing was checked
            os.makedirs(os.path.join(root, "settee", "base"))
            with open(os.path.join(root, "settee", "base", "x.h"), "w", encoding="utf-8") as stream:
                stream.write(
                    "// Copyright The Settee Authors\n// SPDX-License-Identifier: Apache-2.0\n"
                    "inline int x = 0;\n"
                )
            bad = run()
            self.assertEqual(bad.returncode, 1)
            self.assertIn("settee/base/x.h:3: header-state:", bad.stdout)
            self.assertEqual(run("licence").returncode, 0)
            self.assertEqual(run("no-such-rule").returncode, 2)

    def test_every_rule_has_a_test_class(self):
        tested = {case.rule for case in Case.__subclasses__()}
        self.assertEqual(tested, set(tree_check.RULES))


if __name__ == "__main__":
    unittest.main()
