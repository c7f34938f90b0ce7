"""Kubernetes' schemas by version, and those of our CRDs: what an API server would refuse.

Needs the Python package kubernetes-validate, which has the schemas (chart_tools.sh).
"""

import importlib.util
import json
import os

import jsonschema
import referencing
import referencing.jsonschema

FOLDER = os.path.join(importlib.util.find_spec("kubernetes_validate").submodule_search_locations[0],
                      "kubernetes-json-schema")
# What an object has that its CRD's schema says nothing of.
ENVELOPE = {"apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "metadata": {"type": "object"}}
INT_OR_STRING = "x-kubernetes-int-or-string"
ANY = "x-kubernetes-preserve-unknown-fields"
COPIED = ("type", "enum", "pattern", "required", "minLength", "maxLength", "minimum", "maximum",
          "minItems", "maxItems", "minProperties", "maxProperties")


def describe(problem):
    """One line for an error of jsonschema: where, and what."""
    path = ".".join(str(part) for part in problem.absolute_path) or "the object"
    return f"{path}: {problem.message[:300]}"


class Kubernetes:
    """The built-in kinds of one version, "1.36". Unknown fields are errors."""

    def __init__(self, version):
        self.version = version
        self._folder = os.path.join(FOLDER, f"v{version}.0-local-strict")
        if not os.path.isdir(self._folder):
            raise FileNotFoundError(f"kubernetes-validate has no schemas of Kubernetes {version}")
        definitions = self._load("_definitions.json")
        resource = referencing.Resource.from_contents(
            definitions, default_specification=referencing.jsonschema.DRAFT202012)
        self._registry = resource @ referencing.Registry()
        self._validators = {}

    def _load(self, name):
        with open(os.path.join(self._folder, name), encoding="utf-8") as file:
            return json.load(file)

    def _validator(self, api_version, kind):
        key = (api_version, kind)
        if key not in self._validators:
            group, _, version = api_version.rpartition("/")
            prefix = group.split(".")[0] + "-" if group else ""
            name = f"{kind.lower()}-{prefix}{version}.json"
            if not os.path.exists(os.path.join(self._folder, name)):
                return None
            self._validators[key] = jsonschema.Draft202012Validator(
                self._load(name), registry=self._registry)
        return self._validators[key]

    def knows(self, item):
        return self._validator(item["apiVersion"], item["kind"]) is not None

    def problems(self, item):
        validator = self._validator(item["apiVersion"], item["kind"])
        return [describe(problem) for problem in validator.iter_errors(item)]


def from_crd(node):
    """A JSON schema of a structural schema. Fields that it does not name are errors, as they would be
    dropped. Its rules (CEL) are not looked at."""
    schema = {key: node[key] for key in COPIED if key in node}
    if node.get(INT_OR_STRING):
        schema["type"] = ["integer", "string"]
    if "items" in node:
        schema["items"] = from_crd(node["items"])
    if "properties" in node:
        schema["properties"] = {name: from_crd(child) for name, child in node["properties"].items()}
    if isinstance(node.get("additionalProperties"), dict):
        schema["additionalProperties"] = from_crd(node["additionalProperties"])
    elif "properties" in node and not node.get(ANY):
        schema["additionalProperties"] = False
    if node.get("nullable"):
        schema = {"anyOf": [{"type": "null"}, schema]}
    return schema


class Custom:
    """The kinds of CustomResourceDefinitions, each an object as it is applied."""

    def __init__(self, definitions):
        self._validators = {}
        for crd in definitions:
            spec = crd["spec"]
            for version in spec["versions"]:
                schema = from_crd(version["schema"]["openAPIV3Schema"])
                schema["properties"] = ENVELOPE | schema["properties"]
                schema["required"] = sorted({"metadata"} | set(schema.get("required", [])))
                key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                self._validators[key] = jsonschema.Draft202012Validator(schema)

    def knows(self, item):
        return (item["apiVersion"], item["kind"]) in self._validators

    def problems(self, item):
        validator = self._validators[(item["apiVersion"], item["kind"])]
        return [describe(problem) for problem in validator.iter_errors(item)]
