"""Kubernetes' own kinds against their schemas, and all pods against what the project promises of them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from laketag.pipeline.config import DescriptionSettings, Settings
from laketag.pipeline.descriptions.lint import lint
from laketag.pipeline.flows.describe_classes import read_file
from laketag.pipeline.settings_file import read_settings
from tests.infra.manifests import (
    INFRA,
    containers,
    kubernetes_files,
    need,
    read_document,
    read_documents,
    walk,
)

VERSION = "1.34"
OTHERS = ("ray.io/", "monitoring.coreos.com/")  # checked in test_kuberay.py and test_monitoring.py

FOLDER = INFRA / "kubernetes"
DOCUMENTS = [
    pytest.param(document, id=f"{file.name}:{document['kind']}:{document['metadata'].get('name', '')}")
    for file in kubernetes_files()
    for document in read_documents(file)
]
PODS = [parameter for parameter in DOCUMENTS if containers(parameter.values[0])]  # type: ignore[arg-type]  # pytest types a parameter's values as objects
CORE = [parameter for parameter in DOCUMENTS if not parameter.values[0]["apiVersion"].startswith(OTHERS)]  # type: ignore[index]  # same


@pytest.mark.parametrize("document", CORE)
def test_a_manifest_fits_kubernetes_schema(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, VERSION, strict=True)


def test_the_schema_refuses_a_field_that_kubernetes_does_not_know() -> None:
    (job,) = read_documents(FOLDER / "nightly.yaml")
    job["spec"]["concurrencyPolice"] = "Forbid"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, VERSION, strict=True)


def test_a_key_that_is_written_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("spec:\n  replicas: 1\n  replicas: 2\n")
    with pytest.raises(ValueError, match="replicas is there twice"):
        read_documents(file)


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d.values[0]["kind"] != "Namespace"])  # type: ignore[index]  # same
def test_everything_is_in_one_namespace(document: dict[str, Any]) -> None:
    assert document["metadata"]["namespace"] == "laketag"


@pytest.mark.parametrize("document", PODS)
def test_pods_meet_the_restricted_standard_of_their_namespace(document: dict[str, Any]) -> None:
    for pod in (node for node in walk(document) if "containers" in node):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in pod.get("volumes", ()):
            assert set(volume) - {"name"} <= {"emptyDir", "configMap", "secret"}
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("document", PODS)
def test_every_container_says_what_it_needs_and_may_use(document: dict[str, Any]) -> None:
    for container in containers(document):
        for part in ("requests", "limits"):
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"][part]), container[
                "name"
            ]


@pytest.mark.parametrize("document", PODS)
def test_no_secret_is_written_into_a_manifest(document: dict[str, Any]) -> None:
    words = ("token", "secret", "password", "access_key")
    for container in containers(document):
        for variable in container.get("env", ()):
            assert "value" not in variable or not any(word in variable["name"].lower() for word in words)


def test_the_nightly_may_create_and_get_rayjobs_and_nothing_else() -> None:
    documents = read_documents(FOLDER / "access.yaml")
    (role,) = [document for document in documents if document["kind"] == "Role"]
    assert role["rules"] == [{"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["create", "get"]}]
    (binding,) = [document for document in documents if document["kind"] == "RoleBinding"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [subject["name"] for subject in binding["subjects"]] == ["laketag-nightly"]
    assert not [document for document in documents if document["kind"].startswith("Cluster")]


def test_the_nightly_runs_once_at_a_time_with_a_deadline_and_a_limit_of_tries() -> None:
    job = read_document(FOLDER / "nightly.yaml")["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert job["startingDeadlineSeconds"] > 0
    assert job["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0
    assert job["jobTemplate"]["spec"]["backoffLimit"] > 0


def test_service_accounts_that_pods_name_exist() -> None:
    documents = [document for file in kubernetes_files() for document in read_documents(file)]
    known = {document["metadata"]["name"] for document in documents if document["kind"] == "ServiceAccount"}
    named = {
        node["serviceAccountName"]
        for document in documents
        for node in walk(document)
        if "serviceAccountName" in node
    }
    assert named == known


def test_network_policies_select_pods_by_labels_that_pods_carry() -> None:
    carried = set()
    for file in kubernetes_files():
        for document in read_documents(file):
            for node in walk(document):
                if "containers" in node.get("spec", {}) and "metadata" in node:
                    carried.add(node["metadata"]["labels"]["app.kubernetes.io/name"])
    selected = {
        policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for policy in read_documents(FOLDER / "network-policy.yaml")
        if policy["spec"]["podSelector"]
    }
    assert selected == carried


def test_without_a_rule_no_pod_speaks_or_listens() -> None:
    (deny,) = [p for p in read_documents(FOLDER / "network-policy.yaml") if p["spec"]["podSelector"] == {}]
    assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(deny["spec"])


def test_no_rule_leads_to_the_metadata_service_of_the_node() -> None:
    for policy in read_documents(FOLDER / "network-policy.yaml"):
        for block in (node["ipBlock"] for node in walk(policy) if "ipBlock" in node):
            assert block["cidr"] == "169.254.170.23/32" or "169.254.0.0/16" in block["except"]


def test_configmaps_that_pods_mount_are_made_by_the_kustomization() -> None:
    kustomization = read_document(FOLDER / "kustomization.yaml")
    made = {generator["name"]: generator["files"] for generator in kustomization["configMapGenerator"]}
    documents = [document for file in kubernetes_files() for document in read_documents(file)]
    mounted = {
        node["configMap"]["name"] for document in documents for node in walk(document) if "configMap" in node
    }
    assert mounted == set(made)
    for name in [*kustomization["resources"], *(file for files in made.values() for file in files)]:
        assert (FOLDER / name).is_file()


def test_files_that_commands_and_variables_name_are_in_the_configmaps_that_are_mounted_there() -> None:
    made = {g["name"]: g["files"] for g in read_document(FOLDER / "kustomization.yaml")["configMapGenerator"]}
    folders = {"/etc/laketag/": "laketag-settings", "/etc/laketag-nightly/": "laketag-nightly"}
    text = "\n".join(file.read_text() for file in [*kubernetes_files(), FOLDER / "nightly.sh"])
    named = re.findall(r"(/etc/laketag(?:-nightly)?/)(\w+\.\w+)", text)
    assert {name for _, name in named} >= {"nightly.sh", "settings.toml", "classes.json", "start_rayjob.py"}
    assert [name for folder, name in named if name not in made[folders[folder]]] == []


def test_the_variables_that_the_night_needs_are_the_heads() -> None:
    cluster = read_document(FOLDER / "rayjob.yaml")["spec"]["rayClusterSpec"]
    (head,) = containers(cluster["headGroupSpec"])
    needed = set(re.findall(r"\$\{(LAKETAG_\w+):\?\}", (FOLDER / "nightly.sh").read_text()))
    assert needed == {"LAKETAG_COLLECTION", "LAKETAG_SET", "LAKETAG_CLASSES"}
    assert needed <= {variable["name"] for variable in head["env"]}


def test_the_mounted_classes_are_descriptions_that_laketag_takes_whole() -> None:
    file = FOLDER / "classes.json"
    assert file.stat().st_size < 2**20  # of a ConfigMap
    sentences, detected = read_file(str(file), Settings(), None, None)
    assert detected.format == "cupl"
    assert [row.text for row in lint(sentences, DescriptionSettings(), str(file)) if row.drop_reason] == []


def test_the_mounted_settings_are_laketags() -> None:
    settings = read_settings(FOLDER / "settings.toml")
    (gpu,) = [
        group
        for group in read_document(FOLDER / "rayjob.yaml")["spec"]["rayClusterSpec"]["workerGroupSpecs"]
        if group["groupName"] == "gpu"
    ]
    assert settings.run.device == "cuda"
    assert settings.run.autoscaling
    assert settings.run.max_actors == gpu["maxReplicas"]


def test_the_api_is_reached_by_the_head_and_by_the_nightly_on_both_of_its_ports() -> None:
    policies = {
        policy["metadata"]["name"]: policy for policy in read_documents(FOLDER / "network-policy.yaml")
    }
    for name in ("ray", "nightly"):
        (ports,) = [
            {port["port"] for port in rule["ports"]}
            for rule in policies[name]["spec"]["egress"]
            if any(to.get("ipBlock", {}).get("cidr") == "0.0.0.0/0" for to in rule["to"])
        ]
        assert ports == {443, 6443}  # of a service address, and of the API's servers themselves


def test_kustomize_builds_what_is_to_be_applied() -> None:
    need("kubectl is not installed; infra/ci/install-system-packages.sh", shutil.which("kubectl") is not None)
    built = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True, timeout=60
    )
    made = {
        (document["kind"], document["metadata"]["name"]): document
        for document in yaml.safe_load_all(built.stdout)
    }
    resources = read_document(FOLDER / "kustomization.yaml")["resources"]
    written = [document for name in resources for document in read_documents(FOLDER / name)]
    for document in written:
        assert made.pop((document["kind"], document["metadata"]["name"])) == document
    assert set(made) == {("ConfigMap", "laketag-settings"), ("ConfigMap", "laketag-nightly")}
    for document in made.values():
        kubernetes_validate.validate(document, VERSION, strict=True)
        for name, text in document["data"].items():
            assert text == (FOLDER / name).read_text()
