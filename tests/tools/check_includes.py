#!/usr/bin/env python3
"""Checks the source tree against the rules that a compiler does not know.

  check_includes.py [ROOT]

Which folder may include which (the arrows of docs/architecture.md), which folder may use which
library, and a few habits: #pragma once, short files, no printing from libraries, threads by
StartThread, no catch-alls, no left-overs. Prints one line a finding, file:line: what and what
instead. Exit code 1 when there are any.

Files over the line limit are listed, with a reason, in check_includes_exceptions.txt beside this
script.
"""

import os
import re
import sys

MAX_LINES = 400

# Folder -> the folders whose headers it may include beside its own. The longest prefix decides.
DEPENDENCIES = {
    "base": [],
    "esc": ["base"],
    "esc/eval": ["base", "esc"],
    "esc/edit": ["base", "esc"],
    "esc/devserver": ["base", "esc", "esc/edit", "esc/eval"],
    "kube": ["base"],
    "fuse": ["base", "fuse/keeper"],
    "fuse/keeper": ["base"],
    "csi": ["base"],
    "agent/cache": ["base", "esc"],
    # Its workers are the cache's kind of pool.
    "agent/identity": ["base", "esc", "kube", "agent/cache"],
    "agent/store": ["base", "esc", "kube", "agent/identity"],
    "agent/template": ["base"],
    "agent/template": ["base"],
    # The mirror's rules for keys and values in Secrets, for mirrorTo.
    "agent/volume": ["base", "esc", "fuse", "csi", "agent/cache", "agent/identity", "agent/mirror",
                     "agent/store"],
    "agent/audit": ["base", "esc", "fuse", "csi", "agent/volume"],
    "agent/status": ["base", "esc", "csi", "agent/audit", "agent/cache", "agent/identity", "agent/store",
                     "agent/volume",
                     "agent/controller", "agent/freshness"],
    "agent/mirror": ["base", "esc", "esc/edit", "kube", "agent/cache", "agent/store", "agent/template"],
    "agent/controller": ["base", "esc", "esc/edit", "kube", "agent/cache", "agent/store", "agent/mirror",
                         "agent/template", "agent/volume"],
    "agent/freshness": ["base", "esc", "kube", "agent/cache", "agent/store", "agent/controller"],
    "agent/doctor": ["base", "esc", "kube", "fuse", "fuse/keeper", "agent/store", "agent/status"],
    # Where the parts meet.
    "agent": None,
    "tests": None,
}

# Headers of a library -> the folders, or stems of files, that may include them. Tests may use any.
LIBRARIES = [
    (r"grpc|google/protobuf|.*\.pb\.h$", ["csi"]),
    (r"fuse3?/|fuse_|fuse\.h", ["fuse"]),
    (r"linux/fuse\.h", ["fuse"]),
    (r"curl/", ["base/curl_request", "base/curl_streams", "base/curl_transport"]),
    (r"spdlog/|fmt/", ["base/log"]),
    (r"nlohmann/", ["base/json", "base/json_fields", "esc", "kube", "csi", "agent"]),
    (r"yaml-cpp/", ["base/yaml", "agent"]),
    (r"yaml\.h", ["base/yaml_events"]),
    (r"seccomp\.h", ["base/syscall_filter"]),
    (r"httplib\.h", ["esc/devserver", "agent/status"]),
    (r"CLI/", ["agent"]),
    (r"prometheus/", ["agent"]),
    (r"openssl/", ["base", "esc", "agent/store", "agent/freshness/webhook_receiver", "agent/mirror/data_hash", "agent/template"]),
    (r"gtest/|gmock/|benchmark/", []),
]

# Pattern in code (comments and strings taken out) -> where it is allowed, what to do instead.
PRINTERS = ["agent/command", "agent/main.cc", "agent/app.cc", "fuse/keeper/main.cc", "tests"]
# Beside the clock: a measured span of time, and looks at another process's state with a deadline.
WAITERS = ["base/clock.cc", "tests/bench", "tests/component/fuse/mount_fixture.cc"]
CATCHERS = ["base/json.cc", "agent/main.cc", "tests"]
CODE_RULES = [
    (r"\bstd::(cout|cerr|clog)\b|(?<!\w)(std::)?(printf|fprintf|puts|perror)\s*\(", PRINTERS,
     "a library does not print; return an Error, or log from the agent"),
    (r"\bstd::thread\b(?!::)|\.detach\(\)", ["base/thread.h"],
     "start threads with StartThread (base/thread.h)"),
    (r"\bstd::async\b|\bstd::jthread\s*(\w+\s*)?[({][^)}]", ["base/thread.h", "tests"],
     "start threads with StartThread (base/thread.h), so that they have a name"),
    (r"\bstd::(recursive_|timed_|shared_)*mutex\b|\bstd::condition_variable\b",
     ["base/mutex.h", "base/clock.cc", "tests"], "use Mutex and CondVar (base/mutex.h)"),
    (r"\bsleep_(for|until)\b|(?<![\w.>])(usleep|nanosleep|sleep)\s*\(", WAITERS,
     "wait on a Clock, a condition or a stop token"),
    (r"\bcatch\s*\(\s*\.\.\.\s*\)", [],
     "no catch-all: a bug should crash, a library's exceptions have types"),
    (r"\bcatch\s*\(", CATCHERS, "exceptions are caught at one function for each library"),
    (r"\busing\s+namespace\s+std\s*;", [], "name what you use"),
]
LEFT_OVERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCE = re.compile(r"\.(cc|h)$")


def is_below(path, places):
    """Whether a file is one of `places`: a folder that holds it, the file, or its stem."""
    return any(path == p or path.startswith((p + "/", p + ".")) for p in places)


def folder_of(path):
    """The key of DEPENDENCIES that a file belongs to, or None."""
    found = [k for k in DEPENDENCIES if path.startswith(k + "/")]
    return max(found, key=len) if found else None


def strip(text):
    """The text with comments and the insides of strings blanked, line breaks kept."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|'
        r"(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def check_include(path, style, target):
    if style == "<" or target.endswith(".pb.h"):
        return check_library(path, target)
    mine, theirs = folder_of(path), folder_of(target)
    if theirs is None:
        return f'"{target}" is not the path of a header from the root of the project'
    allowed = DEPENDENCIES[mine]
    if theirs != mine and (theirs == "tests" and mine != "tests" or
                           allowed is not None and theirs not in allowed):
        return f'{mine} must not include "{target}"'
    return None


def check_library(path, target):
    if path.startswith("tests/"):
        return None
    for pattern, places in LIBRARIES:
        if re.match(pattern, target) and not is_below(path, places):
            return f"<{target}> may be included only in " + (", ".join(places) or "tests")
    return None


def check_file(path, text, long_files):
    """Yields (line, message) for one file."""
    lines = text.split("\n")
    if len(lines) - 1 > MAX_LINES and path not in long_files:
        yield 1, f"{len(lines) - 1} lines; split it (the limit is {MAX_LINES})"
    if len(lines) - 1 <= MAX_LINES and path in long_files:
        yield 1, "is short enough; take it off check_includes_exceptions.txt"
    code = strip(text).split("\n")
    if path.endswith(".h") and next((c for c in code if c.strip()), "") != "#pragma once":
        yield 1, "a header starts with #pragma once"
    for number, (line, stripped) in enumerate(zip(lines, code), 1):
        include = INCLUDE.match(line)
        if include and stripped.strip():
            message = check_include(path, *include.groups())
            if message:
                yield number, message
        for pattern, places, instead in CODE_RULES:
            if re.search(pattern, stripped) and not is_below(path, places):
                yield number, instead
                break
        left_over = LEFT_OVERS.search(line)
        if left_over:
            yield number, f"{left_over.group()}: do it, or file an issue"


def read_exceptions(path):
    """The files of a list of "path: reason" lines; a line without a reason does not count."""
    if not os.path.exists(path):
        return set()
    with open(path, encoding="utf-8") as file:
        entries = [line.split(":", 1) for line in file if not line.startswith("#")]
    return {entry[0].strip() for entry in entries if len(entry) == 2 and entry[1].strip()}


def sources(root):
    for top in sorted({key.split("/")[0] for key in DEPENDENCIES}):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if SOURCE.search(name):
                    yield os.path.relpath(os.path.join(folder, name), root)


def check_tree(root, long_files):
    """All findings as "path:line: message"."""
    findings = []
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        findings += [f"{path}:{line}: {what}" for line, what in check_file(path, text, long_files)]
    return findings


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "..")
    long_files = read_exceptions(os.path.join(here, "check_includes_exceptions.txt"))
    findings = check_tree(root, long_files)
    print("\n".join(findings) if findings else "includes and folders: nothing found")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
