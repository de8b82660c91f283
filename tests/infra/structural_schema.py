"""A Kubernetes resource definition as a strict JSON schema.

An API server silently drops fields that a definition does not contain; here they are errors. An object may have only the fields
that its definition lists, as in structural schemas (kubernetes.io/docs, "Specifying a structural schema").
"""

from pathlib import Path
from typing import Any

import jsonschema
import yaml

METADATA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "generateName": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "additionalProperties": False,
}
"""The part of ObjectMeta that people write; a definition only says that it is an object."""


def strict_schema(definition: Path, version: str) -> dict[str, Any]:
    """The schema of one version, which refuses unknown fields."""
    loaded = yaml.load(definition.read_text(), yaml.CSafeLoader)
    (found,) = [entry for entry in loaded["spec"]["versions"] if entry["name"] == version and entry["served"]]
    schema: dict[str, Any] = _strict(found["schema"]["openAPIV3Schema"])
    return schema


def problems(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """The places where a document breaks the schema, and why."""
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def _strict(node: dict[str, Any], name: str = "") -> dict[str, Any]:
    if name == "metadata" and "properties" not in node:
        return METADATA
    strict = dict(node)
    if node.get("x-kubernetes-int-or-string"):
        return {
            "anyOf": [
                {"type": "integer"},
                {"type": "string", **{k: v for k, v in node.items() if k == "pattern"}},
            ]
        }
    if "properties" in node:
        strict["properties"] = {key: _strict(value, key) for key, value in node["properties"].items()}
        if not node.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in node:
            strict["additionalProperties"] = False
    elif node.get("type") == "object" and "additionalProperties" not in node:
        strict["additionalProperties"] = bool(node.get("x-kubernetes-preserve-unknown-fields"))
    if isinstance(node.get("additionalProperties"), dict):
        strict["additionalProperties"] = _strict(node["additionalProperties"])
    if isinstance(node.get("items"), dict):
        strict["items"] = _strict(node["items"])
    return strict
