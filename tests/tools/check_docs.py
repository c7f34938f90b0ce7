#!/usr/bin/env python3
"""Checks the documentation against itself and against the code.

  check_docs.py [ROOT]

Each relative link and anchor of a Markdown file leads somewhere. docs/operations.md has the flags of
`esc-agent run`, docs/metrics.md the metrics, docs/errors.md the reasons of events: all of them, and
no others. Prints one line a finding, file:line: what. Exit code 1 when there are any.
"""

import os
import re
import sys

OPERATIONS, METRICS, ERRORS = "docs/operations.md", "docs/metrics.md", "docs/errors.md"
FLAGS_SECTION, EVENTS_SECTION = "The flags of the agent", "Events"
FLAG_SOURCES = ["agent/command/run.cc"]
# Programs, and what is not ours.
SKIPPED_FOLDERS = {"build", ".git", ".cache", "node_modules"}

FENCE = re.compile(r"^\s*(```|~~~)")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
# [text](target) and ![text](target), with an optional title.
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:")

FLAG = re.compile(r'\.name = "([a-z][a-z0-9-]*)"')
FLAG_ROW = re.compile(r"^\| `--([a-z][a-z0-9-]*)`")
METRIC = re.compile(r"\b(?:esc_agent|externalsecret)_[a-z][a-z_]*[a-z]\b")
METRIC_ROW = re.compile(r"^\| `([a-z_]+)[`{]")
# What Prometheus makes of a histogram.
SUFFIXES = re.compile(r"_(bucket|sum|count)$")
REASONS = [
    re.compile(r'\bkEvent(?!Component)\w+\[\] = "(\w+)"'),
    re.compile(r'\bkReason(?:Push\w*|SourceDeleted)\[\] = "(\w+)"'),
    re.compile(r'\bevents_\.(?:Normal|Warning)\(\s*\w+,\s*"(\w+)"'),
]
# Reasons of the condition of a store are those of its events.
STORE_REASONS = ("agent/controller/store_validation.cc", re.compile(r'\breason = "(\w+)"'))
REASON_ROW = re.compile(r"^\| `(\w+)`")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def files(root, top, ending):
    """Paths from the root of all files below `top` whose name ends so."""
    for folder, folders, names in os.walk(os.path.join(root, top)):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(names):
            if name.endswith(ending):
                yield os.path.relpath(os.path.join(folder, name), root)


def prose(text):
    """The lines of a document, with code blocks and inline code blanked: (number, line)."""
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            yield number, re.sub(r"`[^`]*`", lambda match: "`" + " " * (len(match[0]) - 2) + "`", line)


def anchors(text):
    """The anchors that GitHub gives the headings of a document."""
    found = set()
    fenced = False
    for line in text.split("\n"):
        if FENCE.match(line):
            fenced = not fenced
        heading = None if fenced else HEADING.match(line)
        if not heading:
            continue
        # Links are their text, and code is as it stands.
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[2]).lower()
        slug = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
        number = 0
        while (slug if number == 0 else f"{slug}-{number}") in found:
            number += 1
        found.add(slug if number == 0 else f"{slug}-{number}")
    return found


def check_link(root, path, target):
    """What is wrong with a link in the document at `path`, or None."""
    if SCHEME.match(target):
        return None
    name, _, anchor = target.partition("#")
    where = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
    if where.startswith(".."):
        return f"link {target} leads out of the repository"
    if not os.path.exists(os.path.join(root, where)):
        return f"link {target}: there is no {where}"
    if anchor and where.endswith(".md") and anchor not in anchors(read(root, where)):
        return f"link {target}: {where} has no heading for #{anchor}"
    return None


def check_links(root):
    findings = []
    for path in files(root, ".", ".md"):
        for number, line in prose(read(root, path)):
            for target in LINK.findall(line):
                message = check_link(root, path, target)
                if message:
                    findings.append(f"{path}:{number}: {message}")
    return findings


def rows(text, pattern, section=None):
    """name -> line number of the table rows that match, of one section if it is named."""
    found, inside = {}, section is None
    for number, line in enumerate(text.split("\n"), 1):
        heading = HEADING.match(line)
        if heading and section is not None:
            inside = heading[2] == section
        match = pattern.match(line)
        if inside and match:
            found.setdefault(match[1], number)
    return found


def compare(path, documented, known, what):
    """Both ways: `documented` is name -> line, `known` the names that the code has."""
    findings = [f"{path}:{line}: the code has no {what} {name}"
                for name, line in documented.items() if name not in known]
    findings += [f"{path}:1: {what} {name} is missing" for name in sorted(known - set(documented))]
    # Such a check would pass for ever.
    if not known:
        findings.append(f"{path}:1: found no {what} in the code; has its shape changed?")
    return findings


def check_flags(root):
    known = {"--" + name for path in FLAG_SOURCES for name in FLAG.findall(read(root, path))}
    documented = rows(read(root, OPERATIONS), FLAG_ROW, FLAGS_SECTION)
    return compare(OPERATIONS, {"--" + name: line for name, line in documented.items()}, known, "flag")


def metrics_of_the_code(root):
    quoted = re.compile('"(' + METRIC.pattern + ')"')
    return {name for path in files(root, "agent", ".cc") for name in quoted.findall(read(root, path))}


def check_metrics(root):
    known = metrics_of_the_code(root)
    documented = {name: line for name, line in rows(read(root, METRICS), METRIC_ROW).items()
                  if METRIC.fullmatch(name)}
    findings = compare(METRICS, documented, known, "metric")
    for path in files(root, ".", ".md"):
        for number, line in enumerate(read(root, path).split("\n"), 1):
            for match in METRIC.finditer(line):
                # esc_agent_* and the like stand for many.
                if line[match.end():match.end() + 2] == "_*" or path == METRICS:
                    continue
                if SUFFIXES.sub("", match[0]) not in known and match[0] not in known:
                    findings.append(f"{path}:{number}: the code has no metric {match[0]}")
    return findings


def check_events(root):
    known = set()
    for path in [*files(root, "agent", ".h"), *files(root, "agent", ".cc")]:
        text = read(root, path)
        for pattern in REASONS:
            known.update(pattern.findall(text))
        if path == STORE_REASONS[0]:
            known.update(STORE_REASONS[1].findall(text))
    return compare(ERRORS, rows(read(root, ERRORS), REASON_ROW, EVENTS_SECTION), known, "event reason")


def check(root):
    return check_links(root) + check_flags(root) + check_metrics(root) + check_events(root)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.normpath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", ".."))
    findings = check(root)
    print("\n".join(findings) if findings else "documentation: nothing found")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
