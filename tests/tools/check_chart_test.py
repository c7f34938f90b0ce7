#!/usr/bin/env python3
"""Proves that check_chart.py finds each kind of fault: it is planted in a copy of the chart, and must be reported.

  check_chart_test.py HELM [ROOT]
"""

import os
import shutil
import sys
import tempfile

import check_chart

AGENT = "chart/templates/agent-daemonset.yaml"
KEEPER = "chart/templates/keeper-daemonset.yaml"
# A fault: file, what to replace, by what, and words of the finding.
FAULTS = [
    ("a field that does not exist", AGENT, "      enableServiceLinks: false", "      enableServiceLink: false",
     "enableServiceLink"),
    ("a wrong type", AGENT, "failureThreshold: 60", "failureThreshold: often", "failureThreshold"),
    ("a field of another version", "chart/templates/csidriver.yaml", 'semverCompare ">=1.35.0-0"',
     'semverCompare ">=1.33.0-0"', "serviceAccountTokenInSecrets"),
    ("a kind that no version has", "chart/templates/service.yaml", "apiVersion: v1", "apiVersion: v2",
     "has no v2"),
    ("a template that does not render", AGENT, "include \"esc-agent.image\"", "include \"esc-agent.picture\"",
     "esc-agent.picture"),
    ("broken YAML", "chart/templates/service.yaml", "spec:", "spec: {", "helm lint"),
    ("an agent with privilege", AGENT, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true",
     "allowPrivilegeEscalation is not False"),
    ("an agent that can write its image", AGENT, "readOnlyRootFilesystem: true",
     "readOnlyRootFilesystem: false", "root file system can be written"),
    ("two agents at a time", AGENT, "maxSurge: 0", "maxSurge: 1", "must not have maxSurge"),
    ("a keeper that rolls", KEEPER, "type: OnDelete", "type: RollingUpdate", "updated OnDelete"),
    ("a keeper of other agents", KEEPER, "--agent-uid=65532", "--agent-uid=1000", "--agent-uid is not"),
    ("a selector that fits nothing", "chart/templates/service.yaml", '"component" "agent"',
     '"component" "web"', "selects no pods"),
    ("a role that is not there", "chart/templates/rbac.yaml", '(printf "%s-leases" $name)', '"leases"',
     "there is no Role leases"),
    ("an account that is not there", KEEPER, "serviceAccountName: {{ include \"esc-agent.fullname\" . }}-keeper",
     "serviceAccountName: keeper", "there is no ServiceAccount keeper"),
    ("a volume that is not mounted", AGENT, "            - name: admin\n              mountPath: /run/esc-agent\n",
     "", "mounted nowhere"),
    ("a metric that does not exist", "chart/files/alerts.yaml", "esc_agent_registered{", "esc_agent_registred{",
     "no metric esc_agent_registred"),
    ("a panel of a metric that does not exist", "chart/files/dashboards/esc-agent.json", "esc_agent_volumes{",
     "esc_agent_volume{", "no metric esc_agent_volume"),
    ("an alert without a runbook", "docs/operations.md", "### EscAgentMountsSlow\n", "", "no section EscAgentMountsSlow"),
    ("a value that the schema does not know", "chart/values.yaml", "logLevel: info", "logLevel: info\nlogFormat: json",
     "does not know logFormat"),
    ("a value without a comment", "chart/values.yaml", "# debug, info, warn or error.\n", "\n",
     "logLevel has no comment"),
    ("a schema that refuses nothing", "chart/values.schema.json", '"additionalProperties": false',
     '"additionalProperties": true', "unknown_value.yaml: these values are not refused"),
    ("a manifest that was edited", "manifests/node/agent.yaml", "failureThreshold: 6\n", "failureThreshold: 7\n",
     "differs from the chart"),
    ("a CRD that was not copied", "manifests/crds/pushsecrets.yaml", "PushSecret", "PushSecret ", "differs from the chart"),
    ("an example with a wrong field", "manifests/examples/volume.yaml", "volumeAttributes:", "attributes:",
     "attributes"),
    ("an example that its CRD refuses", "manifests/examples/push_secret.yaml", "deletionPolicy: Delete",
     "deletionPolicy: Sometimes", "Sometimes"),
    ("an example with a field that its CRD does not have", "manifests/examples/restart_on_change.yaml",
     "refreshInterval: 10s", "refreshIntervall: 10s", "refreshIntervall"),
    ("another version", "CMakeLists.txt", "project(esc-agent VERSION ", "project(esc-agent VERSION 9", "appVersion is"),
]
COPIED = ["chart", "manifests", "tests/chart", "docs/operations.md", "CMakeLists.txt", "agent/status",
          "agent/controller"]
# Where a fault shows: not each file of values for each version.
VALUES = "tests/chart/values/everything.yaml"


def copy_tree(root, folder):
    for path in COPIED:
        source, target = os.path.join(root, path), os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(source):
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)


def findings(helm, root):
    checker = check_chart.Checker(helm, root, versions=["1.34"])
    checker.check_versions()
    checker.check_schema()
    checker.check_values(os.path.join(root, VALUES))
    checker.check_refused(os.path.join(root, "tests/chart/refused/unknown_value.yaml"))
    checker.check_manifests()
    return checker.found


def plant(folder, path, old, new):
    """Puts the fault in; the text as it was."""
    full = os.path.join(folder, path)
    with open(full, encoding="utf-8") as file:
        before = file.read()
    if old not in before:
        raise SystemExit(f"check_chart_test: {path} does not have: {old}")
    with open(full, "w", encoding="utf-8") as file:
        file.write(before.replace(old, new))
    return before


def main():
    helm, root = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "."
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        copy_tree(root, folder)
        clean = findings(helm, folder)
        if clean:
            print("check_chart_test: finds faults where none are planted:", *clean, sep="\n  ")
            return 1
        for name, path, old, new, words in FAULTS:
            before = plant(folder, path, old, new)
            found = findings(helm, folder)
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(before)
            if not any(words in line for line in found):
                failures += 1
                print(f"check_chart_test: {name} is not found ({words}); found: {found[:5]}")
    print(f"check_chart_test: {len(FAULTS) - failures} of {len(FAULTS)} planted faults are found")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
