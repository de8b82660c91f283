"""Reading manifests as their readers do, but stricter: a key that is written twice is an error."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
INFRA = PROJECT / "infra"
KUBERNETES = INFRA / "kubernetes"


class _UniqueKeys(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, but a key that is written twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise ValueError(f"{node.start_mark}: {', '.join(map(str, twice))} is there twice")
        return super().construct_mapping(node, deep)


def read_documents(file: Path) -> list[dict[str, Any]]:
    """The YAML documents of a file."""
    return [document for document in yaml.load_all(file.read_text(), _UniqueKeys) if document is not None]


def read_document(file: Path) -> dict[str, Any]:
    """The only YAML document of a file."""
    (document,) = read_documents(file)
    return document


def kubernetes_files() -> list[Path]:
    """Every manifest for Kubernetes, KubeRay and the Prometheus operator."""
    files = [file for folder in ("kubernetes", "monitoring") for file in (INFRA / folder).glob("*.yaml")]
    return sorted(file for file in files if file.name != "kustomization.yaml")


def kubernetes_documents() -> list[dict[str, Any]]:
    """All documents of these manifests."""
    return [document for file in kubernetes_files() for document in read_documents(file)]


def ray_cluster() -> dict[str, Any]:
    """The cluster of rayjob.yaml."""
    cluster: dict[str, Any] = read_document(KUBERNETES / "rayjob.yaml")["spec"]["rayClusterSpec"]
    return cluster


def ray_groups() -> list[dict[str, Any]]:
    """The node groups of that cluster: the head's, then the workers'."""
    cluster = ray_cluster()
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def containers(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every container of a document's pods."""
    return [container for node in walk(document) for container in node.get("containers", ())]
