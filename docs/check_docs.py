#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the documentation true. Standard library only.

    check_docs.py [--root DIR] [--update] [RULE...]

Without RULE all rules run. Exit code 1 when anything is found; each finding is one line
`path:line: rule: what is wrong`. --update first writes into the documents what can be taken from the
sources: code blocks, and the names and defaults of limits.

code      A cpp or yaml block stands behind `<!-- code: FILE#REGION -->` (or `FILE` for all of it) and
          equals the lines between `// [REGION]` and `// [/REGION]` there, without their common indent.
links     Links within the repository lead to files and headings that exist, and so do the files that
          stand in `backquotes`, and the documents and sections that source files refer to.
limits    The table of limits.md has every limit of the structs listed in LIMIT_STRUCTS, with its
          default, and names only counters that exist.
tables    guide.md lists every code of Error and every statistic that the libraries count.
tests     The tests that threat-model.md names exist.
width     Lines have at most 100 columns, tables excepted.
"""

import argparse
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


class Tree:
    """The files of a repository, by their path in it."""

    def __init__(self, root):
        self.root = root

    def exists(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)

    def files(self):
        """All that is neither ignored nor built."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.root,
            capture_output=True,
        )
        if listed.returncode == 0 and os.path.exists(os.path.join(self.root, ".git")):
            paths = [p.decode() for p in listed.stdout.split(b"\0") if p]
            return sorted({p for p in paths if self.exists(p)})
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in (".git", "build", "node_modules", "target")]
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return sorted(found)

    def documents(self):
        return [p for p in self.files() if p.endswith(".md") and is_ours(p)]


def is_ours(path):
    """The documents that this program checks; interop/ and bench/ keep their own style."""
    return path in ("README.md", "settee/hessian/format.md") or path.startswith("docs/")


# ---------------------------------------------------------------------------------------------
# code

BLOCK = re.compile(
    r"(?:^<!-- code: (?P<source>\S+) -->\n\n?)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S
)
QUOTED_LANGUAGES = ("cpp", "yaml")
MARKER = re.compile(r"^\s*(?://|#) \[/?[\w-]+\]\s*$")


def region(text, name):
    """The lines of a region, or None."""
    begin = re.search(rf"^[ \t]*(?://|#) \[{re.escape(name)}\][ \t]*\n", text, re.M)
    if not begin:
        return None
    end = re.search(rf"^[ \t]*(?://|#) \[/{re.escape(name)}\][ \t]*$", text[begin.end() :], re.M)
    if not end:
        return None
    return text[begin.end() : begin.end() + end.start()]


def quoted(tree, source):
    """The text that a block of `source` must have; (text, None) or (None, why not)."""
    path, _, name = source.partition("#")
    if not tree.exists(path):
        return None, f"there is no file {path}"
    text = tree.read(path)
    if name:
        text = region(text, name)
        if text is None:
            return None, f"{path} has no region [{name}] ... [/{name}]"
    lines = [line for line in text.split("\n") if not MARKER.match(line)]
    text = textwrap.dedent("\n".join(lines)).strip("\n")
    return text + "\n", None


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def rule_code(tree):
    for path in tree.documents():
        text = tree.read(path)
        for block in BLOCK.finditer(text):
            line = line_of(text, block.start())
            source = block.group("source")
            if source is None:
                if block.group("language") in QUOTED_LANGUAGES:
                    yield path, line, (
                        f"a {block.group('language')} block without '<!-- code: FILE#REGION -->': "
                        "nothing compiles it"
                    )
                continue
            wanted, wrong = quoted(tree, source)
            if wrong:
                yield path, line, wrong
            elif wanted != block.group("body"):
                yield path, line, f"differs from {source}; docs/check_docs.py --update takes it over"


def update_code(tree):
    for path in tree.documents():
        text = tree.read(path)

        def renew(block):
            source = block.group("source")
            wanted, wrong = quoted(tree, source) if source else (None, "")
            if wrong is not None:
                return block.group(0)
            return f"<!-- code: {source} -->\n```{block.group('language')}\n{wanted}```"

        fresh = BLOCK.sub(renew, text)
        if fresh != text:
            tree.write(path, fresh)


# ---------------------------------------------------------------------------------------------
# links


def without_code(text):
    """The text with fenced blocks and comments blanked, lines kept."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    text = re.sub(r"^```.*?^```$", blank, text, flags=re.M | re.S)
    return re.sub(r"<!--.*?-->", blank, text, flags=re.S)


def anchors(text):
    """The anchors of a document's headings, as GitHub makes them."""
    found = set()
    for match in re.finditer(r"^#{1,6} (.+)$", without_code(text), re.M):
        title = re.sub(r"[`*]", "", match.group(1)).strip().lower()
        title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
        found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


LINK = re.compile(r"(?<!!)\[(?:[^][]|\[[^]]*\])*\]\(([^)\s]+)\)")
SOURCES = (".h", ".cc", ".cmake", "CMakeLists.txt", ".py", ".sh")
PATHS = ("settee/", "apps/", "examples/", "interop/", "bench/", "tests/", "cmake/", "docs/", "scripts/")
REFERENCE = re.compile(r'(?<![\w/.])(docs/[\w/-]+\.md)((?:,? sections? (?:"[^"]+"(?:, | and )?)+)?)')


def rule_links(tree):
    for path in tree.documents():
        text = without_code(tree.read(path))
        for match in LINK.finditer(text):
            target, _, anchor = match.group(1).partition("#")
            if re.match(r"[a-z]+:", match.group(1)):
                continue
            line = line_of(text, match.start())
            file = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
            if not tree.exists(file):
                yield path, line, f"the link leads to {file}, which does not exist"
            elif anchor and file.endswith(".md") and anchor not in anchors(tree.read(file)):
                yield path, line, f"{file} has no heading for #{anchor}"
        for match in re.finditer(r"`([\w./-]+)`", text):
            name = match.group(1)
            if name.startswith(PATHS) and not tree.exists(name):
                yield path, line_of(text, match.start()), f"there is no {name}"
    for path in tree.files():
        if path.startswith(("docs/", "tests/checks/")) or not path.endswith(SOURCES):
            continue
        text = re.sub(r"\n(?://|#) ", " ", tree.read(path))  # a comment goes on in the next line
        for match in REFERENCE.finditer(text):
            document, sections = match.group(1), re.findall(r'"([^"]+)"', match.group(2))
            if not tree.exists(document):
                yield path, 1, f"refers to {document}, which does not exist"
                continue
            titles = re.findall(r"^#{1,6} (.+)$", tree.read(document), re.M)
            for section in sections:
                if section not in titles:
                    yield path, 1, f'refers to the section "{section}" of {document}'
        for match in re.finditer(r"\b(\w{1,80}\.md) in this folder", text):
            file = os.path.join(os.path.dirname(path), match.group(1))
            if not tree.exists(file):
                yield path, 1, f"refers to {file}, which does not exist"


# ---------------------------------------------------------------------------------------------
# limits

LIMITS = "docs/limits.md"

# header, struct, how the table calls it, members that are no limits
LIMIT_STRUCTS = (
    ("settee/rpc/server.h", "ServerOptions", "rpc::ServerOptions",
     {"host", "port", "app_name", "registries", "public_host", "public_port", "authenticate",
      "tls", "protocols", "http"}),
    ("settee/rpc/server.h", "AdaptiveLimit", "rpc::AdaptiveLimit", set()),
    ("settee/rpc/server.h", "ProvideOptions", "rpc::ProvideOptions",
     {"version", "unique_id", "pool", "weight", "filters", "without_filters", "adaptive",
      "methods", "register_it", "dynamic", "warmup_time", "warmup_weight", "attributes"}),
    (
        "settee/rpc/client.h",
        "ClientOptions",
        "rpc::ClientOptions",
        {"app_name", "serialization", "dialect", "balancer", "cluster", "in_process",
         "fault_tolerance", "outlier_ejection", "circuit_breaker", "dynamic_config", "tls"},
    ),
    ("settee/rpc/registry.h", "RegistryOptions", "rpc::RegistryOptions",
     {"backup_directory", "auth_scheme", "auth"}),
    ("settee/rpc/bolt/frame.h", "FrameLimits", "rpc::bolt::FrameLimits", set()),
    ("settee/http/server.h", "ServerOptions", "http::ServerOptions",
     {"host", "port", "token", "tls", "open_to_all", "compress", "cors"}),
    ("settee/http/handler.h", "HandlerOptions", "http::HandlerOptions", {"streaming"}),
    ("settee/http/client.h", "ClientOptions", "http::ClientOptions", {"tls", "decompress"}),
    ("settee/http/client.h", "SendOptions", "http::SendOptions", {"streaming"}),
    (
        "settee/net/connection.h",
        "ConnectionOptions",
        "net::ConnectionOptions",
        {"read_when_congested"},
    ),
    ("settee/net/tls.h", "TlsServerOptions", "net::TlsServerOptions",
     {"certificate", "key", "more_certificates", "client_ca", "client_certificate_optional",
      "plain_text_too", "min_version", "alpn"}),
    ("settee/net/tls.h", "TlsClientOptions", "net::TlsClientOptions",
     {"ca", "certificate", "key", "server_name", "insecure_trust_anybody", "min_version", "alpn"}),
    ("settee/net/listener.h", "ListenerOptions", "net::ListenerOptions", {"endpoint"}),
    ("settee/hessian/dialect.h", "Limits", "hessian::Limits", set()),
    ("settee/hessian/json.h", "Limits", "json::Limits", set()),
    (
        "settee/hessian/json.h",
        "WriteOptions",
        "json::WriteOptions",
        {"layout", "type_names", "dates_as_text", "references"},
    ),
    ("settee/base/thread_pool.h", "ThreadPoolOptions", "ThreadPoolOptions", set()),
    ("settee/base/config.h", "ConfigLimits", "ConfigLimits", set()),
)

# How the table calls it, file, a pattern whose group is the default.
LIMIT_PATTERNS = (
    ("EventQueue::capacity", "settee/base/event_bus.h", r"max_waiting = ([^)]+)\)"),
    ("make_stream(capacity)", "settee/base/stream.h", r"make_stream\(std::size_t capacity = (\w+)\)"),
    ("Stats(max_cells)", "settee/base/stats.h", r"kDefaultMaxStatCells = ([^;]+);"),
    ("hessian::Writer depth", "settee/hessian/writer.h", r"kDefaultDepth = ([^;]+);"),
    ("tries of a call", "settee/rpc/cluster/cluster_call.cc", r"kMostTries = ([^;]+);"),
    (
        "methods with a round of their own",
        "settee/rpc/cluster/internal/round_counters.h",
        r"kMaxMethods = ([^;]+);",
    ),
)


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def struct_members(header, struct):
    """(name, type, default) of each data member of a struct; default is None if it has none."""
    text = without_comments(header)
    begin = re.search(rf"\bstruct {struct} {{", text)
    if not begin:
        return None
    depth, end = 1, begin.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    members = []
    for statement in re.split(r";", text[begin.end() : end - 1]):
        statement = re.sub(r"^\s*(?:constexpr\s+)?\w+\([^)]*\)[^{]*\{[^}]*\}", "", statement).strip()
        match = re.match(
            r"((?:\w+::)*\w+(?:<.*>)?)\s+(\w+)\s*(?:=\s*(.+)|\{(.*)\})?$", statement, re.S
        )
        if match and match.group(1) not in ("using", "return", "static"):
            default = match.group(3) if match.group(3) is not None else match.group(4)
            members.append((match.group(2), match.group(1), default))
    return members


def shown(default, kind=""):
    """A default of C++ as the table has it: 64 MiB, 10 000 ms, 65 536."""
    expression = default.replace("'", "").strip()
    if not re.fullmatch(r"[\d\s*+]+", expression):
        return expression
    value = eval(expression)  # only digits, blanks, * and +
    if "* 1024" in expression:
        for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if value >= size and value % size == 0:
                return f"{value // size} {unit}"
    text = f"{value:,}".replace(",", " ")
    return text + " ms" if "milliseconds" in kind else text


def limits_of(tree):
    """{name: default} of all limits, in the order of the lists above."""
    limits = {}
    for header, struct, name, others in LIMIT_STRUCTS:
        members = struct_members(tree.read(header), struct) if tree.exists(header) else None
        if members is None:
            yield None, f"{header} has no struct {struct} any more: correct LIMIT_STRUCTS"
            continue
        for member, kind, default in members:
            if member in others:
                continue
            limits[f"{name}::{member}"] = shown(default or "0", kind)
    for name, path, pattern in LIMIT_PATTERNS:
        match = re.search(pattern, without_comments(tree.read(path)))
        if not match:
            yield None, f"the default of {name} is no more in {path}: correct LIMIT_PATTERNS"
            continue
        limits[name] = shown(match.group(1))
    yield limits, None


ROW = re.compile(r"^\| `([^`]+)` \| ([^|]*?) \| ([^|]*?) \| ([^|]*?) \|$", re.M)


def counters_of(tree):
    """The names of all statistics that the libraries register."""
    names = set()
    for path in tree.files():
        if path.startswith("settee/") and path.endswith(".cc") and not path.endswith("_test.cc"):
            text = without_comments(tree.read(path))
            names |= set(
                re.findall(r"(?:counter|histogram)\(\s*\"(settee\.[\w.]+)\"", text)
            )
    return names


def rule_limits(tree):
    for limits, wrong in limits_of(tree):
        if wrong:
            yield "docs/check_docs.py", 1, wrong
    text = tree.read(LIMITS)
    rows = {match.group(1): match for match in ROW.finditer(text)}
    counters = counters_of(tree)
    for name, default in limits.items():
        if name not in rows:
            yield LIMITS, 1, f"has no row for {name} (default {default}); --update adds one"
            continue
        row = rows[name]
        line = line_of(text, row.start())
        if row.group(2) != default:
            yield LIMITS, line, f"the default of {name} is {default}; --update corrects it"
        if not row.group(3):
            yield LIMITS, line, f"what happens beyond {name} is not said"
        if not row.group(4):
            yield LIMITS, line, f"what counts it is not said for {name}: a counter, or 'nothing'"
        for counter in re.findall(r"`(settee\.[\w.]+)`", row.group(4)):
            if counter not in counters:
                yield LIMITS, line, f"there is no counter {counter}"
    for name, row in rows.items():
        if name not in limits:
            yield LIMITS, line_of(text, row.start()), f"{name} is no limit any more"


def update_limits(tree):
    *_, (limits, _) = limits_of(tree)
    text = tree.read(LIMITS)
    rows = {match.group(1): match for match in ROW.finditer(text)}
    table = ["| Limit | Default | What happens beyond it | Counted by |", "| --- | --- | --- | --- |"]
    for name, default in limits.items():
        told = (rows[name].group(3), rows[name].group(4)) if name in rows else ("", "")
        table.append(f"| `{name}` | {default} | {told[0]} | {told[1]} |")
    fresh = re.sub(
        r"(<!-- limits -->\n).*?(<!-- /limits -->)",
        lambda match: match.group(1) + "\n".join(table) + "\n" + match.group(2),
        text,
        flags=re.S,
    )
    if fresh != text:
        tree.write(LIMITS, fresh)


# ---------------------------------------------------------------------------------------------
# tables

GUIDE = "docs/guide.md"


def rule_tables(tree):
    text = tree.read(GUIDE)
    for name, number in re.findall(
        r"^\s*(k\w+) = (\d{3}),", without_comments(tree.read("settee/base/error.h")), re.M
    ):
        if not re.search(rf"^\| `{name}` \| {number} \|", text, re.M):
            yield GUIDE, 1, f"the table of errors has no row `{name}` | {number}"
    known = counters_of(tree)
    for name in sorted(known):
        if not re.search(rf"^\| `{re.escape(name)}` \|", text, re.M):
            yield GUIDE, 1, f"the table of statistics has no row `{name}`"
    for match in re.finditer(r"^\| `(settee\.[\w.]+)` \|", text, re.M):
        if match.group(1) not in known:
            yield GUIDE, line_of(text, match.start()), f"nothing counts {match.group(1)}"


# ---------------------------------------------------------------------------------------------
# tests

THREATS = "docs/threat-model.md"
TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", re.M)


def rule_tests(tree):
    """A promise names a test that exists."""
    if not tree.exists(THREATS):
        return
    known = set()
    for path in tree.files():
        if path.endswith("_test.cc"):
            known.update(".".join(test) for test in TEST.findall(tree.read(path)))
    text = tree.read(THREATS)
    for match in re.finditer(r"`([A-Z]\w+\.[A-Z]\w+)`", text):
        if match.group(1) not in known:
            yield THREATS, line_of(text, match.start()), f"there is no test {match.group(1)}"


# ---------------------------------------------------------------------------------------------
# width


def rule_width(tree):
    for path in tree.documents():
        for number, line in enumerate(tree.read(path).split("\n"), 1):
            if len(line) > 100 and not line.startswith("|"):
                yield path, number, f"{len(line)} columns"


RULES = {
    "code": rule_code,
    "links": rule_links,
    "limits": rule_limits,
    "tables": rule_tables,
    "tests": rule_tests,
    "width": rule_width,
}


def check(tree, rules):
    return [Finding(path, line, rule, message) for rule in rules for path, line, message in RULES[rule](tree)]


def main():
    parser = argparse.ArgumentParser(description="Keeps the documentation true.")
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), ".."))
    parser.add_argument("--update", action="store_true", help="write what the sources know")
    parser.add_argument("rules", nargs="*", metavar="RULE", help=", ".join(RULES))
    arguments = parser.parse_args()
    for rule in arguments.rules:
        if rule not in RULES:
            parser.error(f"there is no rule '{rule}'; there are {', '.join(RULES)}")
    tree = Tree(os.path.abspath(arguments.root))
    if arguments.update:
        update_code(tree)
        update_limits(tree)
    findings = check(tree, arguments.rules or RULES)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
