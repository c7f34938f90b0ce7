#!/usr/bin/env python3
"""Proves that check_manifests.py finds each kind of violation: copies of the CRDs are broken."""

import copy
import os
import tempfile
import unittest

import check_manifests

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
CRDS = check_manifests.load_crds(ROOT)


def findings(name, change):
    """What is found after `change` was made to one of the CRDs."""
    crds = {**CRDS, name: copy.deepcopy(CRDS[name])}
    change(crds[name])
    return check_manifests.check_crds(crds)


def push_spec(crd):
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


class CheckManifestsTest(unittest.TestCase):
    def assert_found(self, words, change, name="pushsecrets.yaml"):
        found = findings(name, change)
        self.assertTrue(any(words in line for line in found), found)

    def assert_found_in_spec(self, words, **properties):
        self.assert_found(words, lambda crd: push_spec(crd)["properties"].update(properties))

    def test_the_manifests_are_fine(self):
        self.assertEqual(findings("pushsecrets.yaml", lambda crd: None), [])

    def test_schemas(self):
        for words, schema in [
            ("has no type", {"description": "nothing"}),
            ("unknown type text", {"type": "text"}),
            ("unknown keyword maxLenght", {"type": "string", "maxLenght": 1}),
            ("items does not belong to type object", {"type": "object", "items": {}}),
            ("an array without items", {"type": "array"}),
            ("exclude each other", {"type": "object", "additionalProperties": {"type": "string"},
                                    "properties": {"a": {"type": "string"}}}),
            ("requires b", {"type": "object", "required": ["b"]}),
            ("is required and has a default", {"type": "object", "required": ["b"], "properties": {
                "b": {"type": "string", "default": ""}}}),
            ("1 is no string", {"type": "string", "enum": ["a", 1]}),
            ("is not one of", {"type": "string", "enum": ["a"], "default": "b"}),
            ("does not match", {"type": "string", "pattern": "^a", "default": "b"}),
            ("pattern (", {"type": "string", "pattern": "("}),
            ("default sets b", {"type": "object", "default": {"b": 1}}),
            ("needs rule and message", {"type": "object", "x-kubernetes-validations": [
                {"rule": "true"}]}),
            ("unknown key text", {"type": "object", "x-kubernetes-validations": [
                {"rule": "true", "message": "no", "text": ""}]}),
        ]:
            with self.subTest(words):
                self.assert_found_in_spec(words, broken=schema)

    def test_definitions(self):
        for words, change in [
            ("conversion is", lambda crd: crd["spec"].update(conversion={"strategy": "Webhook"})),
            ("scope is", lambda crd: crd["spec"].update(scope="Cluster")),
            ("names is", lambda crd: crd["spec"]["names"].update(shortNames=["p"])),
            ("served is", lambda crd: crd["spec"]["versions"][0].update(served=False)),
            ("versions is", lambda crd: crd["spec"]["versions"][0].update(name="v1")),
            ("component label is", lambda crd: crd["metadata"].pop("labels")),
            ("no status subresource", lambda crd: crd["spec"]["versions"][0].pop("subresources")),
            ("there is no .status.when", lambda crd: crd["spec"]["versions"][0].update(
                additionalPrinterColumns=[{"name": "a", "jsonPath": ".status.when"}])),
            ("not a kind that we serve", lambda crd: crd["spec"]["names"].update(kind="Pushed")),
        ]:
            with self.subTest(words):
                self.assert_found(words, change)

    def test_specs_that_must_be_the_same(self):
        def drop(crd):
            push_spec(crd)["properties"].popitem()
        self.assert_found("must have the same spec", drop, "secretstores.yaml")
        self.assert_found("must be the spec of ExternalSecret", drop, "externalsecrets.yaml")

    def test_kustomizations(self):
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(os.path.join(root, "crds"))
            with open(os.path.join(root, "crds", "kustomization.yaml"), "w",
                      encoding="utf-8") as file:
                file.write("resources: [absent.yaml]\n")
            with open(os.path.join(root, "crds", "extra.yaml"), "w", encoding="utf-8"):
                pass
            found = check_manifests.check_kustomizations(root)
        self.assertEqual(len(found), 2, found)
        self.assertIn("there is no absent.yaml", found[0])
        self.assertIn("does not name extra.yaml", found[1])

    def test_the_kustomizations_are_fine(self):
        manifests = os.path.join(ROOT, "manifests")
        self.assertEqual(check_manifests.check_kustomizations(manifests), [])


if __name__ == "__main__":
    unittest.main()
