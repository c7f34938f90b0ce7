#!/usr/bin/env python3
"""Writes manifests/ from the chart: what `helm install esc-agent` without values makes, one file a subject.

  make_manifests.py HELM [--check] [ROOT]

The CRDs go the other way: manifests/crds is their source, chart/files/crds a copy. --check writes nothing, and
says what differs; exit code 1 then. The kustomization files and examples are written by hand.
"""

import os
import re
import subprocess
import sys

# Which objects, by kind and the component label (or name), go into which file; the first that fits.
FILES = [
    (r"ServiceAccount .*", "rbac/agent/service_account.yaml"),
    (r"(Role|RoleBinding) esc-agent-leases", "rbac/agent/leases.yaml"),
    (r"(ClusterRole|ClusterRoleBinding) esc-agent", "rbac/cluster_role.yaml"),
    (r"ClusterRole esc-agent-(view|edit)", "rbac/user_roles.yaml"),
    (r"CSIDriver .*", "node/csi_driver.yaml"),
    (r"DaemonSet esc-agent-keeper", "node/keeper.yaml"),
    (r"DaemonSet esc-agent", "node/agent.yaml"),
    (r"Service esc-agent", "node/service.yaml"),
    (r"NetworkPolicy .*", "node/network_policy.yaml"),
]
# Made otherwise: the CRDs by copying, the pods of `helm test` not at all.
LEFT_OUT = r"CustomResourceDefinition .*|Pod esc-agent-test"
# With watchNamespaces: what replaces the ClusterRole.
NAMESPACED = [(r"(Role|RoleBinding) esc-agent", "rbac/namespaced/role.yaml")]
NOTES = {"rbac/namespaced/role.yaml": """#
# The agent's rights in one namespace, here podinfo, when it runs with --watch-namespaces: in each of these namespaces, and in
# place of cluster_role.yaml. Beside them it needs ../agent, and nothing of the cluster.
"""}
# What is true of objects that helm installs only.
HELM_LINES = re.compile(r"^ *(helm\.sh/.*|app\.kubernetes\.io/managed-by: Helm)$")
HEADER = "# Made from chart/ by ./dev manifests.\n"


class Refused(Exception):
    """The manifests cannot be made; the text says why."""


def render(helm, root, *arguments):
    # helm knows by itself only the version that it was built for.
    command = [helm, "template", "esc-agent", os.path.join(root, "chart"), "--namespace", "esc-agent",
               "--kube-version", "1.36", *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode != 0:
        raise Refused(f"the chart cannot be rendered: {result.stderr.strip()}")
    return result.stdout


def documents(text):
    """The YAML documents, as text without what is helm's."""
    for document in re.split(r"^---\s*$", text, flags=re.MULTILINE):
        lines = [line.rstrip() for line in document.splitlines()
                 if not line.startswith("# Source:") and not HELM_LINES.match(line)]
        if any(line and not line.startswith("#") for line in lines):
            yield "\n".join(lines).strip() + "\n"


def name_of(document):
    kind = re.search(r"^kind: (\S+)$", document, re.MULTILINE).group(1)
    name = re.search(r"^metadata:\n(?:  .*\n)*?  name: (\S+)$", document, re.MULTILINE).group(1)
    return f"{kind} {name}"


def make(text, where, is_all):
    """The contents of each file below manifests/. `is_all`: every object must have one."""
    files = {}
    for document in documents(text):
        name = name_of(document)
        if re.fullmatch(LEFT_OUT, name):
            continue
        path = next((path for pattern, path in where if re.fullmatch(pattern, name)), None)
        if path is None and not is_all:
            continue
        if path is None:
            raise Refused(f"no file is meant for {name}: see FILES in make_manifests.py")
        files.setdefault(path, []).append(document)
    return {path: HEADER + NOTES.get(path, "") + "---\n".join(parts)
            for path, parts in files.items()}


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def wanted(helm, root):
    """The contents of all generated files by their path."""
    made = make(render(helm, root), FILES, True) | make(
        render(helm, root, "--set", "watchNamespaces={podinfo}"), NAMESPACED, False)
    files = {os.path.join(root, "manifests", path): content for path, content in made.items()}
    crds = os.path.join(root, "manifests", "crds")
    for name in sorted(os.listdir(crds)):
        if name != "kustomization.yaml":
            copy = os.path.join(root, "chart", "files", "crds", name)
            files[copy] = read(os.path.join(crds, name))
    return files


def main(arguments):
    check = "--check" in arguments
    positional = [argument for argument in arguments if not argument.startswith("--")]
    root = positional[1] if len(positional) > 1 else "."
    differing = 0
    try:
        files = wanted(positional[0], root)
    except Refused as problem:
        print(f"make_manifests: {problem}")
        return 1
    for path, content in files.items():
        if read(path) == content:
            continue
        differing += 1
        if check:
            print(f"{path}: is not what the chart makes; run ./dev manifests")
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
            print(f"wrote {path}")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
