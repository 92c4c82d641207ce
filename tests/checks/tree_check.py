#!/usr/bin/env python3
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of the source tree that no compiler makes. Standard library only.

    tree_check.py [--root DIR] [RULE...]

Without RULE all rules run. Exit code 1 when anything is found; each finding is one line
`path:line: rule: what is wrong`. A line that must break a rule carries the comment
`settee-check: allow RULE` and, by custom, the reason.

tree_check_test.py shows for every rule what it finds and what it lets pass.
"""

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


# ---------------------------------------------------------------------------------------------
# Reading C++


def blank_comments(text, strings=True):
    """The text with comments (and the insides of string and character literals) turned to spaces.

    Lines and columns stay where they are.
    """
    out = []
    i, n = 0, len(text)

    def blank(piece):
        out.append(re.sub(r"[^\n]", " ", piece))

    while i < n:
        two = text[i : i + 2]
        if two == "//":
            end = i
            while True:
                end = text.find("\n", end)
                if end < 0:
                    end = n
                    break
                if text[end - 1] != "\\":
                    break
                end += 1
            blank(text[i:end])
            i = end
        elif two == "/*":
            end = text.find("*/", i + 2)
            end = n if end < 0 else end + 2
            blank(text[i:end])
            i = end
        elif text[i] == '"':
            raw = re.search(r"(?:u8|u|U|L)?R$", text[max(0, i - 3) : i])
            if raw:
                opening = re.match(r'"([^()\\\s]{0,16})\(', text[i : i + 20])
            if raw and opening:
                closing = ")" + opening.group(1) + '"'
                end = text.find(closing, i)
                end = n if end < 0 else end + len(closing)
            else:
                end = i + 1
                while end < n and text[end] not in '"\n':
                    end += 2 if text[end] == "\\" else 1
                end = min(end + 1, n)
            if strings:
                out.append('"')
                blank(text[i + 1 : end - 1])
                out.append(text[end - 1] if end - 1 > i else "")
            else:
                out.append(text[i:end])
            i = end
        elif text[i] == "'" and not (
            i > 0
            and (text[i - 1].isalnum() or text[i - 1] == "_")
            and not re.search(r"(?:^|\W)(?:u8|u|U|L)$", text[max(0, i - 3) : i])
        ):
            # The other apostrophes are digit separators: 1'000.
            end = i + 1
            while end < n and text[end] not in "'\n":
                end += 2 if text[end] == "\\" else 1
            end = min(end + 1, n)
            if strings:
                out.append("'")
                blank(text[i + 1 : end - 1])
                out.append(text[end - 1] if end - 1 > i else "")
            else:
                out.append(text[i:end])
            i = end
        else:
            out.append(text[i])
            i += 1
    return "".join(out)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


def includes(text):
    """(line, bracket, path) of every #include that is not in a comment."""
    blanked = blank_comments(text, strings=False)
    return [
        (line_of(blanked, m.start()), m.group(1), m.group(2)) for m in INCLUDE.finditer(blanked)
    ]


def component_header(path):
    """Whether path is a public header of a component, by the rule of SetteeComponent.cmake."""
    parts = path.split("/")
    if len(parts) < 3 or parts[0] != "settee" or not path.endswith(".h"):
        return False
    if any(part in ("internal", "testdata", "corpus", "golden") for part in parts[:-1]):
        return False
    return "_test" not in parts[-1]


# ---------------------------------------------------------------------------------------------
# Rules. Each takes (path, text) and yields (line, message).

LICENCE_SUFFIXES = (
    ".cc",
    ".h",
    ".c",
    ".py",
    ".sh",
    ".cmake",
    ".java",
    ".js",
    ".mjs",
    ".ts",
    ".proto",
)


def rule_licence(path, text):
    """Sources say whose they are and under which licence."""
    name = path.rsplit("/", 1)[-1]
    if not (
        path.endswith(LICENCE_SUFFIXES)
        or name in ("CMakeLists.txt", "Makefile")
        or text.startswith("#!")
    ):
        return
    head = "\n".join(text.split("\n")[:6])
    for line in ("Copyright The Settee Authors", "SPDX-License-Identifier: Apache-2.0"):
        if line not in head:
            yield 1, f"the first lines lack '{line}'"


STANDARD_HEADERS = frozenset("""
    algorithm any array atomic barrier bit bitset charconv chrono compare complex concepts
    condition_variable coroutine deque exception execution filesystem format forward_list fstream
    functional future initializer_list iomanip ios iosfwd iostream istream iterator latch limits list
    locale map memory memory_resource mutex new numbers numeric optional ostream queue random ranges
    ratio regex scoped_allocator semaphore set shared_mutex source_location span sstream stack
    stdexcept stop_token streambuf string string_view system_error thread tuple type_traits typeindex
    typeinfo unordered_map unordered_set utility valarray variant vector version
    cassert cctype cerrno cfenv cfloat cinttypes climits clocale cmath csetjmp csignal cstdarg cstddef
    cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype
    assert.h ctype.h errno.h inttypes.h limits.h stddef.h stdint.h stdio.h stdlib.h string.h time.h
    """.split())
SYSTEM_HEADERS = frozenset("""
    sys/types.h sys/socket.h sys/uio.h sys/time.h netinet/in.h unistd.h time.h signal.h
    """.split())


def rule_public_includes(path, text):
    """A public header includes only Settee's public headers and the standard library's."""
    if not component_header(path):
        return
    for line, bracket, name in includes(text):
        if bracket == '"':
            if not name.startswith("settee/"):
                yield line, f'"{name}": write the full path, "settee/<component>/<file>.h"'
            elif "/internal/" in name:
                yield line, (
                    f'"{name}" is internal and not installed: what a public header needs '
                    "lives in a folder detail/"
                )
        elif name not in STANDARD_HEADERS and name not in SYSTEM_HEADERS:
            yield line, f"<{name}> is third-party: keep it inside a .cc file"


# Lowest first; a file includes from its own component and from lower floors.
FLOORS = (
    ("base",),
    ("hessian", "net"),
    ("http",),
    ("tracer", "lookout"),
    ("rpc",),
    ("rpc/bolt",),  # SOFARPC's convention for HTTP has Bolt's content in its bodies
    ("rpc/rest", "rpc/grpc", "rpc/registry", "rpc/observe"),
    ("boot",),
    ("ark",),
    ("admin",),
)
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def component_of(path):
    """The component (or, in rpc, the binding) that a path under settee/ belongs to, or None."""
    parts = path.split("/")
    if len(parts) < 3 or parts[0] != "settee":
        return None
    nested = "/".join(parts[1:3])
    return nested if nested in FLOOR_OF else parts[1]


def rule_floors(path, text):
    """A component includes only from lower floors."""
    own = component_of(path)
    for line, bracket, name in includes(text):
        if bracket != '"':
            continue
        other = component_of(name)
        if "/internal/" in name and (
            own is None or other is None or own.split("/")[0] != other.split("/")[0]
        ):
            yield line, f'"{name}" is internal to settee/{other}'
        if own is None or other is None or own == other:
            continue
        if own not in FLOOR_OF:
            yield line, f"settee/{own} is on no floor: add it to FLOORS in tests/checks/tree_check.py"
            return
        if other not in FLOOR_OF:
            yield line, f'"{name}": there is no component settee/{other}'
            continue
        umbrella = path == "settee/rpc/rpc.h"
        test = re.search(r"_(test|benchmark|fuzz|module)\.cc$|_test[^/]*\.h$", path)
        if own.split("/")[0] == other.split("/")[0] and (umbrella or test):
            continue  # one library: its umbrella header and its tests see all of it
        if FLOOR_OF[other] >= FLOOR_OF[own]:
            yield line, f'settee/{own} may not include upward or sideways: "{name}"'
        elif own.startswith("rpc") and own != "rpc/observe" and other in ("tracer", "lookout"):
            yield line, f'only settee/rpc/observe joins rpc to {other}: "{name}"'
        elif (
            own in ("tracer", "lookout")
            and other == "http"
            and not re.search(r"report|export", path[len(f"settee/{own}/") :])
        ):
            yield line, f"only the reporters and exporters of settee/{own} use settee/http"


KEYWORD_BLOCK = re.compile(
    r"^(?:if|for|while|switch|do|else|try|catch|return|co_return|co_await)\b"
)


def strip_template_arguments(statement):
    """The statement without what stands between balanced angle brackets."""
    if "operator" in statement:
        return statement
    previous = None
    while previous != statement:
        previous = statement
        statement = re.sub(r"<[^<>;{}]*>", " ", statement)
    return statement


def strip_attributes(statement):
    previous = None
    while previous != statement:
        previous = statement
        statement = re.sub(
            r"\[\[[^\[\]]*\]\]|\b(?:alignas|__attribute__|requires|noexcept|explicit|decltype)"
            r"\s*\((?:[^()]|\([^()]*\))*\)",
            " ",
            statement,
        )
    return statement


CONSTANT = re.compile(r"\b(?:constexpr|constinit\s+const|const\s+constinit)\b")


def is_constant(declaration):
    """Whether the declared variable itself (not what it points to) cannot change."""
    if CONSTANT.search(declaration):
        return True
    declarator = strip_template_arguments(declaration)
    if "*" in declarator:
        return re.search(r"\*\s*const\b[^*]*$", declarator) is not None
    return re.search(r"\bconst\b", declarator) is not None


def judge_declaration(statement, scope):
    """What is wrong with one declaration of a header, or None. scope: namespace, class, function."""
    statement = " ".join(statement.split())
    if re.search(r"\bthread_local\b", statement):
        if re.match(r"(?:SETTEE_API )?extern\b", statement):
            return None
        return "defines a thread_local: keep it in base's library behind a function"
    if scope == "function":
        if re.match(r"(?:inline )?static\b", statement) and not CONSTANT.search(statement):
            return "a function-local static: keep it in a .cc file (constexpr data may stay)"
        return None
    text = strip_attributes(statement)
    templated = re.match(r"template\b", text) is not None
    bare = strip_template_arguments(text)
    if templated:
        bare = re.sub(r"^(?:template\s*)+", "", bare).strip()
        bare = re.sub(
            r"^requires\b.*?(?=\b(?:inline|static|constexpr|struct|class|auto|void)\b)", "", bare
        )
    if (
        re.match(
            r"(?:friend|using|typedef|namespace|static_assert|extern|concept|enum|struct|class|union"
            r"|template|public|private|protected|operator)\b",
            bare,
        )
        or "operator" in bare
    ):
        return None
    declaration = re.split(r"[={]", bare, maxsplit=1)[0]
    if "(" in declaration:
        return None  # a function, or a macro call
    if not re.match(r"^[\w:\s*&\[\]~,.#]+$", declaration) or len(declaration.split()) < 2:
        return None
    inline = re.search(r"\binline\b", declaration) is not None
    static = re.search(r"\bstatic\b", declaration) is not None
    if is_constant(declaration):
        return None
    if inline:
        return "a mutable inline variable: keep it in a .cc file behind a function"
    if scope == "namespace" and static:
        return "a mutable static variable in a header: every file that includes it gets its own"
    if scope == "namespace" and templated:
        return "a mutable variable template: keep its state in a .cc file behind a function"
    return None


def scan_declarations(blanked, first_scope="namespace"):
    """Yields (offset, scope, statement) for each statement, following the braces."""
    scopes = [first_scope]
    start = 0
    parens = 0
    i = 0
    while i < len(blanked):
        char = blanked[i]
        if char in "([":
            parens += 1
        elif char in ")]":
            parens = max(0, parens - 1)
        elif char == ";" and parens == 0:
            yield start, scopes[-1], blanked[start:i]
            start = i + 1
        elif char == "{":
            head = blanked[start:i]
            kind = brace_kind(head, scopes[-1], parens)
            if kind == "value" or parens > 0:
                # An initializer, or a lambda among arguments: look for statics in lambdas too.
                end = matching_brace(blanked, i)
                if kind == "function":
                    yield from (
                        (i + 1 + offset, scope, text)
                        for offset, scope, text in scan_declarations(
                            blanked[i + 1 : end], "function"
                        )
                    )
                elif "static" in blanked[i:end] or "thread_local" in blanked[i:end]:
                    yield from (
                        (i + 1 + offset, scope, text)
                        for offset, scope, text in scan_declarations(
                            blanked[i + 1 : end], "function"
                        )
                    )
                i = end
            else:
                if kind == "function" and scopes[-1] != "function":
                    yield start, scopes[-1], head
                scopes.append(kind)
                start = i + 1
        elif char == "}":
            if len(scopes) > 1:
                tail = blanked[start:i]
                if tail.strip():
                    yield start, scopes[-1], tail
                scopes.pop()
            start = i + 1
        i += 1
    if blanked[start:].strip():
        yield start, scopes[-1], blanked[start:]


def matching_brace(text, opening):
    depth = 0
    for i in range(opening, len(text)):
        if text[i] == "{":
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if depth == 0:
                return i
    return len(text) - 1


def brace_kind(head, scope, parens):
    """What an opening brace begins: namespace, class, function or value (an initializer)."""
    head = " ".join(strip_attributes(head).split())
    head = re.sub(r"^(?:(?:public|private|protected)\s*:\s*)+", "", head)
    if parens > 0:
        lambda_head = re.search(
            r"\]\s*(?:\([^{}]*\))?\s*(?:mutable|noexcept|->|[\w:<>&*\s])*$", head
        )
        return "function" if lambda_head else "value"
    if (
        re.search(r"\bnamespace\b", head)
        or head == 'extern ""'
        or re.match(r'extern\s*"\s*"$', head)
    ):
        return "namespace"
    bare = strip_template_arguments(head)
    if re.match(r"(?:template\s*)*(?:requires\b.*?)?(?:typedef\s+)?enum\b", bare):
        return "value"
    if re.match(
        r"(?:template\s*)*(?:requires\b.*?)?(?:typedef\s+)?(?:class|struct|union)\b", bare
    ) and "(" not in re.split(r"(?<!:):(?!:)", bare)[0].replace("alignas(", ""):
        return "class"
    if scope == "function":
        if (
            re.search(r"(?:=|\breturn|,|\w|>)\s*$", head)
            and not KEYWORD_BLOCK.match(head)
            and not re.search(r"\b(?:else|do|try)$", head)
            and not re.search(r"\)\s*(?:const|noexcept|mutable)$", head)
        ):
            return "value"
        return "function"
    if re.search(r"=\s*$", head):
        return "value"
    if "(" in bare and not re.match(r"[^(]*=", bare):
        # A constructor's initializer list `: a_{1}, b_{2} {` ends in a brace after a brace.
        if re.search(r"\)\s*:[^:]", bare) or re.search(r"\)\s*:$", bare):
            return "function" if re.search(r"[)}]\s*$", bare) else "value"
        return "function"
    if "=" in bare and re.search(r"\]\s*(?:\([^{}]*\))?[^{}]*$", bare):
        return "function"  # a lambda that initializes a variable
    return "value"


def rule_header_state(path, text):
    """No public header defines state that would pin a module in memory."""
    if not component_header(path):
        return
    blanked = blank_comments(text)
    # Macro bodies end up in users' headers: they are read on their own, then taken out.
    pieces = []

    def take_out(match):
        body = match.group(0)
        define = re.match(r"[ \t]*#[ \t]*define[ \t]+\w+(?:\([^)]*\))?", body)
        if define:
            pieces.append(
                (match.start() + define.end(), body[define.end() :].replace("\\\n", " \n"))
            )
        return re.sub(r"[^\n]", " ", body)

    rest = re.sub(r"^[ \t]*#(?:[^\n\\]|\\[^\n]|\\\n)*", take_out, blanked, flags=re.M)
    pieces.append((0, rest))
    for base, piece in pieces:
        for offset, scope, statement in scan_declarations(piece):
            statement_text = re.sub(
                r"^(?:\s|(?:public|private|protected)\s*:(?!:))+", "", statement
            )
            problem = judge_declaration(statement_text, scope)
            if problem:
                lead = len(statement) - len(statement_text)
                yield line_of(blanked, base + offset + lead), problem


# Types that are no aggregates although they are commonly written with braces.
NO_AGGREGATE = re.compile(
    r"(?:^|\W)std::(?!array\b)[\w:]+(?:<.*>)?$|(?:^|\W)(?:\w+::)*(?:milliseconds|"
    r"microseconds|nanoseconds|seconds|minutes|hours|string|string_view)$"
)


def closing(text, opening):
    pairs = {"(": ")", "{": "}", "[": "]"}
    stack = []
    for i in range(opening, len(text)):
        char = text[i]
        if char in pairs:
            stack.append(pairs[char])
        elif char in ")}]":
            if not stack or stack.pop() != char:
                return i
            if not stack:
                return i
    return len(text) - 1


def rule_co_await_aggregate(path, text):
    """No aggregate temporary inside a co_await expression: g++ 12 copies it bitwise. And no
    conditional: g++ 12 destroys the temporaries of both its sides."""
    if not path.endswith((".cc", ".h")):
        return
    blanked = blank_comments(text)
    for match in re.finditer(r"\bco_await\b", blanked):
        i = match.end()
        depth = 0
        while i < len(blanked):
            char = blanked[i]
            if char in "([":
                depth += 1
            elif char in ")]":
                depth -= 1
                if depth < 0:
                    break
            elif char == ";" or (char == "," and depth == 0) or char == "}":
                break
            elif char == "?":
                if depth == 0:
                    break  # behind the operand
                yield (
                    line_of(blanked, i),
                    "a conditional inside a co_await expression: name the value first",
                )
            elif char == "{":
                before = blanked[match.end() : i].rstrip()
                end = closing(blanked, i)
                if depth == 0:
                    if not before.endswith(("]", ")")):
                        # The awaitable itself, `co_await Awaiter{x}`, is built in place; the
                        # braces of `for (... : co_await f()) {` never get here.
                        i = end + 1
                        continue
                elif is_lambda_body(blanked, i):
                    pass
                else:
                    named = re.search(r"((?:\w+::)*\w+(?:\s*<[^(){};]*>)?)$", before)
                    if not named:
                        yield (
                            line_of(blanked, i),
                            "a braced argument inside a co_await expression: name the value first",
                        )
                    elif not NO_AGGREGATE.search(named.group(1)):
                        yield (
                            line_of(blanked, i),
                            f"the temporary {named.group(1)}{{...}} inside a co_await expression: name "
                            "the value first and std::move it",
                        )
                i = end
            i += 1


def is_lambda_body(text, brace):
    """Whether the brace opens the body of a lambda."""
    before = text[:brace].rstrip()
    before = re.sub(r"->\s*[\w:<>,&*\s]+$", "", before).rstrip()
    before = re.sub(r"(?:\b(?:mutable|noexcept|constexpr)\s*)+$", "", before).rstrip()
    if before.endswith(")"):
        depth = 0
        for i in range(len(before) - 1, -1, -1):
            if before[i] == ")":
                depth += 1
            elif before[i] == "(":
                depth -= 1
                if depth == 0:
                    before = before[:i].rstrip()
                    break
        before = re.sub(r"<[^<>]*>$", "", before).rstrip()
    return before.endswith("]")


def rule_file_length(path, text):
    """Files of the libraries and programs stay readable in one sitting."""
    if path.startswith(("settee/", "apps/")) and path.endswith((".cc", ".h", ".py")):
        lines = text.count("\n") + (not text.endswith("\n"))
        if lines > 900:
            yield lines, f"{lines} lines; split it (the limit is 900)"


# Put together from pieces, so that this file passes its own rule.
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:" + "wo" + r"rk/|root/|home/\w|Users/\w)")


def rule_machine_paths(path, text):
    """Nothing names a path of somebody's machine."""
    for match in MACHINE_PATH.finditer(text):
        yield line_of(
            text, match.start()
        ), f"a path of one machine: {text[match.start():match.end() + 12]!r}"


UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")


def rule_unfinished(path, text):
    """Nothing is marked as unfinished: what is missing is said in docs/compatibility.md."""
    for match in UNFINISHED.finditer(text):
        yield line_of(text, match.start()), f"a {match.group(0)} mark"


ARTEFACT = re.compile(
    r"(?:^|/)(?:node_modules|target|build|__pycache__)/|\.(?:o|a|so|jar|class|pyc|deb|tgz)$"
)


def rule_artefacts(path, text):
    """No build product or download is part of the sources."""
    if ARTEFACT.search(path):
        yield 1, "a build product or download: do not commit it"


RULES = {
    "licence": rule_licence,
    "public-includes": rule_public_includes,
    "floors": rule_floors,
    "header-state": rule_header_state,
    "co-await-aggregate": rule_co_await_aggregate,
    "file-length": rule_file_length,
    "machine-paths": rule_machine_paths,
    "unfinished": rule_unfinished,
    "artefacts": rule_artefacts,
}


def check_text(path, text, rules=None):
    """All findings in one file."""
    findings = []
    lines = text.split("\n")
    for name in rules or RULES:
        for line, message in RULES[name](path, text):
            source = lines[line - 1] if 0 < line <= len(lines) else ""
            if f"settee-check: allow {name}" not in source:
                findings.append(Finding(path, line, name, message))
    return findings


UNTRACKED_FOLDERS = (".git", "build", "node_modules", "target", "__pycache__")


def tree_files(root):
    """Paths of the sources: what git tracks or would track; every file when there is no git."""
    try:
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True,
            capture_output=True,
        ).stdout.decode()
        return sorted(path for path in listed.split("\0") if path)
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in UNTRACKED_FOLDERS]
            found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
        return sorted(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."))
    parser.add_argument("rules", nargs="*", metavar="RULE", help=", ".join(RULES))
    options = parser.parse_args()
    for name in options.rules:
        if name not in RULES:
            parser.error(f"there is no rule '{name}'; the rules are {', '.join(RULES)}")
    findings = []
    looked_at = 0
    for path in tree_files(options.root):
        full = os.path.join(options.root, path)
        if not os.path.isfile(full) or os.path.islink(full):
            continue
        with open(full, "rb") as stream:
            content = stream.read()
        if b"\0" in content[:8192] and not ARTEFACT.search(path):
            continue
        looked_at += 1
        findings += check_text(path, content.decode("utf-8", "replace"), options.rules)
    for finding in findings:
        print(finding)
    print(f"{looked_at} files, {len(findings)} findings")
    if looked_at == 0:
        print("no files found: wrong --root?")
        return 2
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
