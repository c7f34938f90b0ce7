#!/usr/bin/env python3
"""Checks chart/ and manifests/ without a cluster.

  check_chart.py HELM [ROOT]

Runs helm lint and helm template with each file of tests/chart/values for each version of Kubernetes, and
validates every object against the schemas of that version (kube_schemas.py) and the rules of chart_rules.py;
the same for manifests/ and its examples. Values in tests/chart/refused must be refused. Values and schema must
name the same things, manifests/ be what the chart makes, and the versions agree. Prints one line a finding;
exit code 1 when there are any. Run it with the python of chart_tools.sh.
"""

import json
import os
import re
import subprocess
import sys

import yaml

import chart_rules
import kube_schemas
import make_manifests

VERSIONS = ["1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36"]
# Field of an object that came later, and with which version it must be there if tokens are asked for.
TOKENS_IN_SECRETS = "1.35"


def load_all(text):
    return [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]


def load_file(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return load_all(file.read())


def yaml_files(folder):
    """The files with objects for an API server, sorted."""
    return [os.path.join(base, name) for base, _, names in sorted(os.walk(folder))
            for name in sorted(names)
            if name.endswith(".yaml") and name != "kustomization.yaml"
            and "environments" not in base.split(os.sep)]


class Checker:
    """Collects what is wrong; an object that was seen before is not looked at again."""

    def __init__(self, helm, root, versions=None):
        self.helm, self.root = helm, root
        self.chart = os.path.join(root, "chart")
        self.kubernetes = [kube_schemas.Kubernetes(version) for version in versions or VERSIONS]
        crds = [item for path in yaml_files(os.path.join(root, "manifests", "crds"))
                for item in load_file(path)]
        self.custom = kube_schemas.Custom(
            crds + load_file(root, "tests", "chart", "schemas", "monitoring.yaml")[0])
        self.found, self._seen = [], set()
        self.rendered = 0

    def run_helm(self, *arguments):
        return subprocess.run([self.helm, *arguments], capture_output=True, text=True, check=False)

    def add(self, where, problem):
        if f"{where}: {problem}" not in self.found:
            self.found.append(f"{where}: {problem}")

    def validate(self, where, item, kubernetes):
        if not isinstance(item, dict) or "kind" not in item or "apiVersion" not in item:
            self.add(where, "not an object of Kubernetes")
            return
        key = (kubernetes.version, json.dumps(item, sort_keys=True, default=str))
        if key in self._seen:
            return
        self._seen.add(key)
        name = chart_rules.name_of(item)
        schemas = next((one for one in (kubernetes, self.custom) if one.knows(item)), None)
        if schemas is None:
            self.add(where, f"{name}: Kubernetes {kubernetes.version} has no {item['apiVersion']}")
            return
        for problem in schemas.problems(item):
            self.add(where, f"{name}: Kubernetes {kubernetes.version}: {problem}")

    def render(self, values, version):
        """The objects, or None when helm refused."""
        result = self.run_helm("template", "esc-agent", self.chart, "--namespace", "esc-agent",
                               "--kube-version", version, "--values", values)
        if result.returncode != 0:
            self.add(os.path.basename(values), result.stderr.strip()[:500])
            return None
        return load_all(result.stdout)

    def check_values(self, values):
        where = os.path.basename(values)
        lint = self.run_helm("lint", "--strict", "--quiet", self.chart, "--values", values)
        if lint.returncode != 0:
            self.add(where, "helm lint: " + (lint.stdout + lint.stderr).strip()[:500])
            return
        for kubernetes in self.kubernetes:
            items = self.render(values, kubernetes.version)
            if items is None:
                return
            self.rendered += len(items)
            for item in items:
                self.validate(where, item, kubernetes)
            self.check_rules(where, items, kubernetes.version)

    def check_rules(self, where, items, version):
        values = (load_file(self.root, "tests", "chart", "values", where) or [{}])[0]
        found = chart_rules.check_objects(items) + chart_rules.check_monitoring(items, self.root)
        for problem in found:
            # The account and what it may do are the admin's, then.
            if values.get("serviceAccount", {}).get("create") is False and \
                    "there is no ServiceAccount default" in problem:
                continue
            self.add(where, problem)
        spec = next(item for item in items if item["kind"] == "CSIDriver")["spec"]
        wanted = "tokenRequests" in spec and float(version) >= float(TOKENS_IN_SECRETS)
        if spec.get("serviceAccountTokenInSecrets", False) != wanted:
            self.add(where, f"Kubernetes {version}: serviceAccountTokenInSecrets must be {wanted}")

    def check_refused(self, path):
        with open(path, encoding="utf-8") as file:
            words = file.readline().removeprefix("# expect: ").strip()
        result = self.run_helm("template", "esc-agent", self.chart, "--values", path,
                               "--kube-version", VERSIONS[-1])
        if result.returncode == 0:
            self.add(os.path.basename(path), "these values are not refused")
        elif words not in result.stderr:
            self.add(os.path.basename(path), f"refused without '{words}': {result.stderr.strip()}")

    def check_manifests(self):
        for path in yaml_files(os.path.join(self.root, "manifests")):
            for item in load_file(path):
                for kubernetes in self.kubernetes:
                    self.validate(os.path.relpath(path, self.root), item, kubernetes)
        try:
            files = make_manifests.wanted(self.helm, self.root)
        except make_manifests.Refused as problem:
            self.add("manifests", str(problem))
            return
        for path, content in files.items():
            if make_manifests.read(path) != content:
                self.add(os.path.relpath(path, self.root), "differs from the chart: ./dev manifests")

    def check_schema(self):
        """Every value has a comment above it and a place in the schema, and the other way round."""
        schema = load_file(self.chart, "values.schema.json")[0]
        compare("", load_file(self.chart, "values.yaml")[0], schema, self.found)
        with open(os.path.join(self.chart, "values.yaml"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        for previous, line in zip([""] + lines, lines):
            if re.match(r"\w+: *[^ {]|\w+: *$", line) and not previous.startswith("#"):
                name = line.split(":")[0]
                if not documented_below(lines, line):
                    self.add("chart/values.yaml", f"{name} has no comment")

    def check_versions(self):
        chart = load_file(self.chart, "Chart.yaml")[0]
        with open(os.path.join(self.root, "CMakeLists.txt"), encoding="utf-8") as file:
            program = re.search(r"project\(esc-agent VERSION (\S+)", file.read()).group(1)
        if str(chart["appVersion"]) != program:
            self.add("chart/Chart.yaml", f"appVersion is {chart['appVersion']}, not {program}")


def documented_below(lines, line):
    """Whether a map's first entry has the comment that the map lacks."""
    index = lines.index(line)
    return line.endswith(":") and index + 1 < len(lines) and lines[index + 1].startswith("  #")


def compare(path, values, schema, found):
    properties = schema.get("properties", {})
    for name in sorted(values.keys() - properties.keys()):
        found.append(f"chart/values.schema.json: does not know {path}{name}")
    for name in sorted(properties.keys() - values.keys() - {"global"}):
        found.append(f"chart/values.yaml: does not have {path}{name}")
    if schema.get("additionalProperties") is not False:
        found.append(f"chart/values.schema.json: {path or 'the root'} allows unknown values")
    for name, value in values.items():
        if isinstance(value, dict) and properties.get(name, {}).get("properties"):
            if name not in ("resources", "seLinuxOptions"):
                compare(f"{path}{name}.", value, properties[name], found)


def folder_files(*path):
    folder = os.path.join(*path)
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def main():
    helm, root = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "."
    checker = Checker(helm, root)
    checker.check_versions()
    checker.check_schema()
    for path in folder_files(root, "tests", "chart", "values"):
        checker.check_values(path)
    for path in folder_files(root, "tests", "chart", "refused"):
        checker.check_refused(path)
    checker.check_manifests()
    for line in checker.found:
        print(line)
    print(f"check_chart: {checker.rendered} objects rendered, for Kubernetes {VERSIONS[0]} to "
          f"{VERSIONS[-1]}: {len(checker.found)} findings")
    return 1 if checker.found else 0


if __name__ == "__main__":
    sys.exit(main())
