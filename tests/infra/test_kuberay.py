"""RayJob and RayCronJob: they fit KubeRay's own definitions and what the operator does with them."""

import copy
import os
import runpy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray

from tests.infra.manifests import KUBERNETES, containers, ray_cluster, ray_groups, read_document
from tests.infra.programs import need
from tests.infra.structural_schema import problems, strict_schema

STARTER = runpy.run_path(str(KUBERNETES / "start_rayjob.py"))
RAYJOB = read_document(KUBERNETES / "rayjob.yaml")
RAYCRONJOB = read_document(KUBERNETES / "nightly-raycronjob.yaml")
NIGHTLY = read_document(KUBERNETES / "nightly.yaml")


@cache
def schema_of(kind: str) -> dict[str, Any]:
    folder = os.environ.get("LAKETAG_KUBERAY_CRDS")
    need("LAKETAG_KUBERAY_CRDS does not name a folder of KubeRay's resource definitions", bool(folder))
    return strict_schema(Path(str(folder)) / f"ray.io_{kind.lower()}s.yaml", "v1")


def gibibytes(quantity: str) -> float:
    return float(quantity[:-2]) * {"Mi": 2**-10, "Gi": 1.0}[quantity[-2:]]


@pytest.mark.parametrize("manifest", [RAYJOB, RAYCRONJOB], ids=lambda manifest: manifest["kind"])
def test_a_manifest_fits_kuberays_definition(manifest: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(manifest["kind"]))
    assert problems(manifest, schema_of(manifest["kind"])) == []


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("spec", "activeDeadlineSecond"),
        ("spec.rayClusterSpec.authOptions", "secret"),
        ("spec.rayClusterSpec.workerGroupSpecs.0", "maxReplica"),
        ("spec.rayClusterSpec.headGroupSpec.template.spec.containers.0.livenessProbe", "failures"),
        ("spec.submitterPodTemplate.metadata", "label"),
    ],
)
def test_a_misspelt_field_is_refused(path: str, key: str) -> None:
    document = copy.deepcopy(RAYJOB)
    node: Any = document
    for step in path.split("."):
        node = node[int(step) if step.isdigit() else step]
    node[key] = "x"
    assert any(f"'{key}' was unexpected" in problem for problem in problems(document, schema_of("RayJob")))


def test_a_wrong_type_is_refused() -> None:
    document = copy.deepcopy(RAYJOB)
    document["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplicas"] = "4"
    assert problems(document, schema_of("RayJob"))


def test_both_nightlies_start_at_the_same_time_the_run_that_is_tried_by_day() -> None:
    assert RAYCRONJOB["spec"]["jobTemplate"] == RAYJOB["spec"]
    (starter,) = containers(NIGHTLY)
    assert Path(starter["command"][-1]).name == "rayjob.yaml"
    for key in ("schedule", "timeZone"):
        assert NIGHTLY["spec"][key] == RAYCRONJOB["spec"][key]


def test_a_run_ends_with_all_its_attempts_before_its_watcher_and_before_the_next_night() -> None:
    """The operator begins an attempt with a new deadline."""
    watcher, run = NIGHTLY["spec"]["jobTemplate"]["spec"], RAYJOB["spec"]
    attempts = run["backoffLimit"] + 1
    assert attempts * run["activeDeadlineSeconds"] < watcher["activeDeadlineSeconds"] < 24 * 3600
    assert run["preRunningDeadlineSeconds"] < run["activeDeadlineSeconds"]


def test_the_cluster_names_the_installed_ray_and_requires_a_token() -> None:
    assert ray_cluster()["rayVersion"] == ray.__version__
    assert ray_cluster()["authOptions"] == {"mode": "token", "secretName": "laketag-ray-token"}


def test_the_head_has_no_cpu_and_no_gpu_for_tasks() -> None:
    start = ray_cluster()["headGroupSpec"]["rayStartParams"]
    assert (start["num-cpus"], start["num-gpus"]) == ("0", "0")


def test_names_leave_room_for_the_suffixes_of_kuberay_and_cronjobs() -> None:
    # generateName appends 5 characters, a CronJob '-' and the minute in 8 digits, start_rayjob.py its suffix
    longest = [
        RAYJOB["metadata"]["generateName"] + 5 * "x",
        f"{NIGHTLY['metadata']['name']}-{8 * '0'}{STARTER['SUFFIX']}",
    ]
    assert all(len(name) <= STARTER["LONGEST_NAME"] for name in longest)


@pytest.mark.parametrize("group", ray_groups(), ids=["head", "cpu", "gpu"])
def test_a_pods_volumes_fit_its_limits(group: dict[str, Any]) -> None:
    """Shared memory contains the object store and counts as memory; the weights count as storage."""
    pod = group["template"]["spec"]
    volumes = {volume["name"]: volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume}
    limits = pod["containers"][0]["resources"]["limits"]
    store_gib = int(group["rayStartParams"]["object-store-memory"]) / 2**30
    shared_gib = gibibytes(volumes["shared-memory"]["sizeLimit"])
    assert volumes["shared-memory"]["medium"] == "Memory"
    assert 1.05 * store_gib < shared_gib < 0.4 * gibibytes(limits["memory"])
    assert gibibytes(volumes["weights"]["sizeLimit"]) < gibibytes(limits["ephemeral-storage"])


@pytest.mark.parametrize("group", ray_groups(), ids=["head", "cpu", "gpu"])
def test_only_gpu_pods_ask_for_a_gpu_and_run_on_gpu_nodes(group: dict[str, Any]) -> None:
    gpu = group.get("groupName") == "gpu"
    pod = group["template"]["spec"]
    (container,) = pod["containers"]
    tolerated = any(toleration["key"] == "nvidia.com/gpu" for toleration in pod.get("tolerations", ()))
    assert pod["nodeSelector"] == {"laketag.io/pool": "gpu" if gpu else "cpu"}
    assert container["image"].endswith("-cuda" if gpu else "-cpu")
    assert tolerated is gpu
    assert all(("nvidia.com/gpu" in part) is gpu for part in container["resources"].values())


def test_gpus_start_from_zero() -> None:
    (gpu,) = [group for group in ray_groups() if group.get("groupName") == "gpu"]
    assert (gpu["replicas"], gpu["minReplicas"]) == (0, 0)
    assert gpu["maxReplicas"] > 0


def test_autoscaler_v2_gets_pods_that_are_not_restarted() -> None:
    assert ray_cluster()["autoscalerOptions"]["version"] == "v2"
    assert {group["template"]["spec"]["restartPolicy"] for group in ray_groups()} == {"Never"}
