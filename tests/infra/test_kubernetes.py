"""Kubernetes' own kinds: they fit its schemas, and pods, accounts and policies are as strict as the project promises."""

import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from laketag.jobs.submission.command import read_command
from laketag.pipeline.config import DescriptionSettings, Settings
from laketag.pipeline.descriptions.lint import lint
from laketag.pipeline.flows.night_file import read_night
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.stages.description_files import DescriptionFile, read_sentences
from tests.infra.manifests import (
    KUBERNETES,
    containers,
    kubernetes_documents,
    kubernetes_files,
    ray_groups,
    read_document,
    read_documents,
    walk,
)
from tests.infra.programs import need_program, output_of

VERSION = "1.34"
OTHERS = ("ray.io/", "monitoring.coreos.com/")  # checked in test_kuberay.py and test_monitoring.py
DOCUMENTS = kubernetes_documents()
CORE = [document for document in DOCUMENTS if not document["apiVersion"].startswith(OTHERS)]
PODS = [document for document in DOCUMENTS if containers(document)]
KUSTOMIZATION = read_document(KUBERNETES / "kustomization.yaml")
CONFIG_MAPS = {made["name"]: made["files"] for made in KUSTOMIZATION["configMapGenerator"]}
POLICIES = {
    policy["metadata"]["name"]: policy["spec"]
    for policy in read_documents(KUBERNETES / "network-policy.yaml")
}


def name_of(document: dict[str, Any]) -> str:
    return f"{document['kind']}:{document['metadata'].get('name', '')}"


@pytest.mark.parametrize("document", CORE, ids=name_of)
def test_a_manifest_fits_kubernetes_schema(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, VERSION, strict=True)


def test_the_schema_refuses_a_field_that_kubernetes_does_not_know() -> None:
    job = read_document(KUBERNETES / "nightly.yaml")
    job["spec"]["concurrencyPolice"] = "Forbid"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, VERSION, strict=True)


def test_a_key_that_is_written_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("spec:\n  replicas: 1\n  replicas: 2\n")
    with pytest.raises(ValueError, match="replicas is there twice"):
        read_documents(file)


def test_everything_is_in_one_namespace() -> None:
    others = [document for document in DOCUMENTS if document["kind"] != "Namespace"]
    assert {document["metadata"]["namespace"] for document in others} == {"laketag"}


@pytest.mark.parametrize("document", PODS, ids=name_of)
def test_pods_meet_the_restricted_standard_of_their_namespace(document: dict[str, Any]) -> None:
    for pod in (node for node in walk(document) if "containers" in node):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in pod.get("volumes", ()):
            assert set(volume) - {"name"} <= {"emptyDir", "configMap", "secret"}
    for container in containers(document):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("document", PODS, ids=name_of)
def test_every_container_has_requests_and_limits_and_no_written_secret(document: dict[str, Any]) -> None:
    for container in containers(document):
        for part in ("requests", "limits"):
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"][part])
        written = [variable["name"].lower() for variable in container.get("env", ()) if "value" in variable]
        assert not [name for name in written if re.search("token|secret|password|access_key", name)]


def test_the_nightly_may_create_and_get_rayjobs_and_nothing_else() -> None:
    access = {document["kind"]: document for document in read_documents(KUBERNETES / "access.yaml")}
    assert set(access) == {"ServiceAccount", "Role", "RoleBinding"}  # nothing for the whole cluster
    assert access["Role"]["rules"] == [
        {"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["create", "get"]}
    ]
    assert access["RoleBinding"]["roleRef"]["name"] == access["Role"]["metadata"]["name"]
    assert [subject["name"] for subject in access["RoleBinding"]["subjects"]] == ["laketag-nightly"]


def test_the_nightly_runs_once_at_a_time_with_a_deadline_and_a_limit_of_attempts() -> None:
    job = read_document(KUBERNETES / "nightly.yaml")["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    assert job["startingDeadlineSeconds"] > 0
    assert job["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0
    assert job["jobTemplate"]["spec"]["backoffLimit"] > 0


def test_service_accounts_that_pods_name_exist() -> None:
    known = {document["metadata"]["name"] for document in DOCUMENTS if document["kind"] == "ServiceAccount"}
    nodes = (node for document in DOCUMENTS for node in walk(document))
    assert {node["serviceAccountName"] for node in nodes if "serviceAccountName" in node} == known


def test_network_policies_select_pods_by_labels_that_pods_carry() -> None:
    label = "app.kubernetes.io/name"
    pods = (node for document in DOCUMENTS for node in walk(document) if "containers" in node.get("spec", ()))
    carried = {pod["metadata"]["labels"][label] for pod in pods if "metadata" in pod}
    selectors = (policy["podSelector"] for policy in POLICIES.values())
    assert {selector["matchLabels"][label] for selector in selectors if selector} == carried


def test_without_a_rule_no_pod_connects_or_listens() -> None:
    assert POLICIES["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_no_rule_leads_to_the_metadata_service_of_the_node() -> None:
    for block in (node["ipBlock"] for node in walk(POLICIES) if "ipBlock" in node):
        assert block["cidr"] == "169.254.170.23/32" or "169.254.0.0/16" in block["except"]


@pytest.mark.parametrize("name", ["ray", "nightly"])
def test_the_head_and_the_nightly_reach_the_api_on_both_of_its_ports(name: str) -> None:
    (ports,) = [
        {port["port"] for port in rule["ports"]}
        for rule in POLICIES[name]["egress"]
        if any(to.get("ipBlock", {}).get("cidr") == "0.0.0.0/0" for to in rule["to"])
    ]
    assert ports == {443, 6443}  # of a service address, and of the API's servers themselves


def test_the_kustomization_makes_the_configmaps_that_pods_mount() -> None:
    nodes = (node for document in DOCUMENTS for node in walk(document))
    assert {node["configMap"]["name"] for node in nodes if "configMap" in node} == set(CONFIG_MAPS)


def test_files_that_commands_and_variables_name_are_in_the_mounted_configmaps() -> None:
    folders = {"/etc/laketag/": "laketag-settings", "/etc/laketag-nightly/": "laketag-nightly"}
    text = "\n".join(file.read_text() for file in kubernetes_files())
    named = re.findall(r"(/etc/laketag(?:-nightly)?/)(\w+\.\w+)", text)
    assert {name for _, name in named} >= {"night.toml", "settings.toml", "start_rayjob.py"}
    assert [name for folder, name in named if name not in CONFIG_MAPS[folders[folder]]] == []


def test_the_night_of_the_pods_is_laketags_and_its_files_are_mounted_with_it() -> None:
    job = read_document(KUBERNETES / "rayjob.yaml")["spec"]
    command = read_command(
        shlex.split(job["entrypoint"].replace("--settings /etc/laketag/settings.toml ", ""))
    )
    assert command.name == "nightly"
    assert command.values["max_hours"] * 3600 < job["activeDeadlineSeconds"]
    night = read_night(KUBERNETES / Path(command.values["night"]).name, settings=KUBERNETES / "settings.toml")
    assert night.run.device == "cuda"
    files = [Path(one.descriptions).name for one in night.collection if one.descriptions]
    assert set(files) <= set(CONFIG_MAPS["laketag-settings"])


def test_laketag_keeps_every_text_of_the_mounted_classes() -> None:
    file = KUBERNETES / "classes.json"
    assert file.stat().st_size < 2**20  # the limit of a ConfigMap
    sentences = read_sentences(DescriptionFile(str(file), strict=True), Settings())
    assert sentences.detected.format == "cupl"
    assert [
        row.text for row in lint(sentences.by_class, DescriptionSettings(), str(file)) if row.drop_reason
    ] == []


def test_the_mounted_settings_are_laketags() -> None:
    run = read_settings(KUBERNETES / "settings.toml").run
    (gpu,) = [group for group in ray_groups() if group.get("groupName") == "gpu"]
    assert (run.device, run.autoscaling, run.max_actors) == ("cuda", True, gpu["maxReplicas"])


def test_kustomize_builds_every_resource_and_configmap() -> None:
    need_program("kubectl")
    built = yaml.safe_load_all(output_of("kubectl", "kustomize", KUBERNETES))
    made = {name_of(document): document for document in built}
    for name in KUSTOMIZATION["resources"]:
        for document in read_documents(KUBERNETES / name):
            assert made.pop(name_of(document)) == document
    assert set(made) == {f"ConfigMap:{name}" for name in CONFIG_MAPS}
    for document in made.values():
        kubernetes_validate.validate(document, VERSION, strict=True)
        for name, text in document["data"].items():
            assert text == (KUBERNETES / name).read_text()
