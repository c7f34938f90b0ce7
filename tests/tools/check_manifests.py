#!/usr/bin/env python3
"""Checks manifests/ without an API server: what it would refuse, and what it would not notice.

  check_manifests.py [ROOT]

The CRDs: well-formed, structural (each node has a type, known keywords only), versions, names,
status, columns, rules with a message, and specs that must be the same in two files. The kustomization
files name every file beside them. Prints one line a finding; exit code 1 when there are any.
tests/system/crds_test.sh tries the same files on a real kube-apiserver.
"""

import os
import re
import sys

import yaml

GROUP = "external-secrets.io"
# Kind -> plural, short name, scope, versions (the stored one first).
KINDS = {
    "ClusterExternalSecret": ("clusterexternalsecrets", "ces", "Cluster", ["v1", "v1beta1"]),
    "ClusterSecretStore": ("clustersecretstores", "css", "Cluster", ["v1", "v1beta1"]),
    "ExternalSecret": ("externalsecrets", "es", "Namespaced", ["v1", "v1beta1"]),
    "PushSecret": ("pushsecrets", "ps", "Namespaced", ["v1alpha1"]),
    "SecretStore": ("secretstores", "ss", "Namespaced", ["v1", "v1beta1"]),
}
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict,
         "array": list}
ANY = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
# Keyword of a structural schema -> the type of node that it belongs to, None: any.
KEYWORDS = {
    "type": None, "description": None, "default": None, "nullable": None, "enum": None,
    "x-kubernetes-validations": None, ANY: None, INT_OR_STRING: None,
    "format": ("string", "integer", "number"), "pattern": ("string",), "minLength": ("string",),
    "maxLength": ("string",), "minimum": ("integer", "number"), "maximum": ("integer", "number"),
    "items": ("array",), "minItems": ("array",), "maxItems": ("array",),
    "x-kubernetes-list-type": ("array",), "x-kubernetes-list-map-keys": ("array",),
    "properties": ("object",), "additionalProperties": ("object",), "required": ("object",),
    "minProperties": ("object",), "maxProperties": ("object",), "x-kubernetes-map-type": ("object",),
}
RULE_KEYS = {"rule", "message", "messageExpression", "reason", "fieldPath"}


def check_schema(node, path, found):
    """One node of a structural schema and all below it."""
    if not isinstance(node, dict):
        found.append(f"{path}: not a schema")
        return
    kind = node.get("type")
    if kind is None and not node.get(INT_OR_STRING) and not node.get(ANY):
        found.append(f"{path}: has no type")
    if kind is not None and kind not in TYPES:
        found.append(f"{path}: unknown type {kind}")
    for key in node:
        if key not in KEYWORDS:
            found.append(f"{path}: unknown keyword {key}")
        elif KEYWORDS[key] and kind not in KEYWORDS[key]:
            found.append(f"{path}: {key} does not belong to type {kind}")
    check_values(node, path, found)
    check_rules(node, path, found)
    if kind == "array":
        if "items" not in node:
            found.append(f"{path}: an array without items")
        else:
            check_schema(node["items"], path + "[]", found)
    properties = node.get("properties", {})
    if properties and "additionalProperties" in node:
        found.append(f"{path}: properties and additionalProperties exclude each other")
    for name, child in properties.items():
        check_schema(child, f"{path}.{name}", found)
    if isinstance(node.get("additionalProperties"), dict):
        check_schema(node["additionalProperties"], path + ".*", found)
    for name in node.get("required", []):
        if name not in properties:
            found.append(f"{path}: requires {name}, which is no property")
        elif "default" in properties[name]:
            found.append(f"{path}: {name} is required and has a default")


def check_values(node, path, found):
    """Defaults and enums are of the node's type, and patterns compile."""
    kind = TYPES.get(node.get("type"))
    for value in node.get("enum", []) + ([node["default"]] if "default" in node else []):
        if kind and not isinstance(value, kind):
            found.append(f"{path}: {value!r} is no {node['type']}")
    if "default" in node:
        default = node["default"]
        if "enum" in node and default not in node["enum"]:
            found.append(f"{path}: default {default!r} is not one of {node['enum']}")
        if "pattern" in node and not re.search(node["pattern"], str(default)):
            found.append(f"{path}: default {default!r} does not match {node['pattern']}")
        if isinstance(default, dict):
            for name in default.keys() - node.get("properties", {}).keys():
                found.append(f"{path}: default sets {name}, which is no property")
    if "pattern" in node:
        try:
            re.compile(node["pattern"])
        except re.error as error:
            found.append(f"{path}: pattern {node['pattern']}: {error}")


def check_rules(node, path, found):
    for rule in node.get("x-kubernetes-validations", []):
        for key in rule.keys() - RULE_KEYS:
            found.append(f"{path}: unknown key {key} of a rule")
        if not rule.get("rule") or not rule.get("message"):
            found.append(f"{path}: a rule needs rule and message")


def check_crd(crd, found):
    kind = crd["spec"]["names"]["kind"]
    if kind not in KINDS:
        found.append(f"{kind}: not a kind that we serve")
        return
    plural, short, scope, versions = KINDS[kind]
    spec, names = crd["spec"], crd["spec"]["names"]
    wanted = [
        ("metadata.name", crd["metadata"]["name"], f"{plural}.{GROUP}"),
        ("component label", crd["metadata"].get("labels", {}).get(f"{GROUP}/component"),
         "controller"),
        ("group", spec["group"], GROUP),
        ("scope", spec["scope"], scope),
        ("names", (names["plural"], names["singular"], names["listKind"], names["shortNames"]),
         (plural, kind.lower(), kind + "List", [short])),
        ("categories", names["categories"], ["external-secrets"]),
        ("conversion", spec["conversion"], {"strategy": "None"}),
        ("versions", [v["name"] for v in spec["versions"]], versions),
        ("served", [v["served"] for v in spec["versions"]], [True] * len(versions)),
        ("storage", [v["storage"] for v in spec["versions"]],
         [True] + [False] * (len(versions) - 1)),
    ]
    for what, got, want in wanted:
        if got != want:
            found.append(f"{kind}: {what} is {got}, not {want}")
    for version in spec["versions"]:
        where = f"{kind} {version['name']}"
        if version.get("subresources") != {"status": {}}:
            found.append(f"{where}: has no status subresource")
        schema = version["schema"]["openAPIV3Schema"]
        check_schema(schema, where, found)
        fields = [c["jsonPath"] for c in version.get("additionalPrinterColumns", [])]
        fields += [s["jsonPath"] for s in version.get("selectableFields", [])]
        for field in fields:
            if not field.startswith(".metadata.") and not has_field(schema, field):
                found.append(f"{where}: there is no {field}")


def has_field(schema, path):
    """Whether a simple JSONPath (.a.b[?(...)].c) names a field of the schema."""
    for name in re.sub(r"\[[^\]]*\]", "[]", path)[1:].split("."):
        schema = schema.get("properties", {}).get(name.removesuffix("[]"))
        if name.endswith("[]"):
            schema = schema and schema.get("items")
        if schema is None:
            return False
    return True


def specs(crd, *below):
    """The schema of spec, or of a field below it, by version."""
    result = {}
    for version in crd["spec"]["versions"]:
        node = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for name in below:
            node = node["properties"][name]
        result[version["name"]] = node
    return result


def check_same(crds, found):
    if specs(crds["SecretStore"]) != specs(crds["ClusterSecretStore"]):
        found.append("SecretStore and ClusterSecretStore must have the same spec")
    if specs(crds["ExternalSecret"]) != specs(crds["ClusterExternalSecret"], "externalSecretSpec"):
        found.append("spec.externalSecretSpec of ClusterExternalSecret must be the spec of "
                     "ExternalSecret")


def check_kustomizations(root):
    """Each names existing files only, and crds/ all that there are."""
    found = []
    for folder, _, files in os.walk(root):
        if "kustomization.yaml" not in files:
            continue
        resources = load(os.path.join(folder, "kustomization.yaml"))["resources"]
        for name in resources:
            if not os.path.exists(os.path.join(folder, name)):
                found.append(f"{folder}/kustomization.yaml: there is no {name}")
        if os.path.basename(folder) == "crds":
            for name in sorted(set(files) - set(resources) - {"kustomization.yaml"}):
                found.append(f"{folder}/kustomization.yaml: does not name {name}")
    return found


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader=yaml.CSafeLoader)


def load_crds(root):
    """The CRDs by the name of their file."""
    folder = os.path.join(root, "manifests", "crds")
    return {name: load(os.path.join(folder, name)) for name in sorted(os.listdir(folder))
            if name != "kustomization.yaml"}


def check_crds(crds):
    found, by_kind = [], {}
    for name, crd in crds.items():
        by_kind[crd["spec"]["names"]["kind"]] = crd
        if name != crd["spec"]["names"]["plural"] + ".yaml":
            found.append(f"{name}: is not named after its plural")
        check_crd(crd, found)
    for kind in KINDS.keys() - by_kind.keys():
        found.append(f"manifests/crds: there is no {kind}")
    if KINDS.keys() <= by_kind.keys():
        check_same(by_kind, found)
    return found


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    found = check_crds(load_crds(root)) + check_kustomizations(os.path.join(root, "manifests"))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
