"""RayJob and RayCronJob against KubeRay's own definitions, and against what the operator does with them."""

import copy
import os
import runpy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray

from tests.infra.manifests import INFRA, containers, need, read_document
from tests.infra.structural_schema import problems, strict_schema

STARTER = runpy.run_path(str(INFRA / "kubernetes/start_rayjob.py"))
FILES = {"RayJob": "rayjob.yaml", "RayCronJob": "nightly-raycronjob.yaml"}


@cache
def schema_of(kind: str) -> dict[str, Any]:
    folder = os.environ.get("LAKETAG_KUBERAY_CRDS")
    need("LAKETAG_KUBERAY_CRDS does not name a folder of KubeRay's resource definitions", bool(folder))
    return strict_schema(Path(str(folder)) / f"ray.io_{kind.lower()}s.yaml", "v1")


def manifest(kind: str) -> dict[str, Any]:
    return read_document(INFRA / "kubernetes" / FILES[kind])


def job_spec(kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = manifest(kind)["spec"]
    return spec["jobTemplate"] if kind == "RayCronJob" else spec


def gibibytes(quantity: str) -> float:
    return float(quantity[:-2]) * {"Mi": 2**-10, "Gi": 1.0}[quantity[-2:]]


@pytest.mark.parametrize("kind", FILES)
def test_a_manifest_fits_kuberays_definition(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(kind))
    assert problems(manifest(kind), schema_of(kind)) == []


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("spec",), "activeDeadlineSecond"),
        (("spec", "rayClusterSpec", "authOptions"), "secret"),
        (("spec", "rayClusterSpec", "workerGroupSpecs", 0), "maxReplica"),
        (
            ("spec", "rayClusterSpec", "headGroupSpec", "template", "spec", "containers", 0, "livenessProbe"),
            "failures",
        ),
        (("spec", "submitterPodTemplate", "metadata"), "label"),
    ],
)
def test_a_misspelt_field_is_refused(path: tuple[str | int, ...], key: str) -> None:
    document = copy.deepcopy(manifest("RayJob"))
    node: Any = document
    for step in path:
        node = node[step]
    node[key] = "x"
    assert any(f"'{key}' was unexpected" in problem for problem in problems(document, schema_of("RayJob")))


def test_a_wrong_type_is_refused() -> None:
    document = manifest("RayJob")
    document["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplicas"] = "4"
    assert problems(document, schema_of("RayJob"))


def test_both_nightlies_start_the_run_that_is_tried_by_day() -> None:
    assert job_spec("RayCronJob") == job_spec("RayJob")
    (starter,) = containers(read_document(INFRA / "kubernetes/nightly.yaml"))
    assert Path(starter["command"][-1]).name == FILES["RayJob"]


def test_both_nightlies_start_at_the_same_time() -> None:
    one, other = (
        read_document(INFRA / "kubernetes" / name)["spec"] for name in ("nightly.yaml", FILES["RayCronJob"])
    )
    assert (one["schedule"], one["timeZone"]) == (other["schedule"], other["timeZone"])


def test_a_run_ends_with_all_its_tries_before_its_watcher_and_before_the_next_night() -> None:
    """The operator begins a try with a new deadline."""
    watcher = read_document(INFRA / "kubernetes/nightly.yaml")["spec"]["jobTemplate"]["spec"]
    run = job_spec("RayJob")
    tries = run["backoffLimit"] + 1
    assert tries * run["activeDeadlineSeconds"] < watcher["activeDeadlineSeconds"] < 24 * 3600
    assert run["preRunningDeadlineSeconds"] < run["activeDeadlineSeconds"]


def test_the_operator_is_told_the_ray_that_is_installed_and_asks_for_a_token() -> None:
    cluster = job_spec("RayJob")["rayClusterSpec"]
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["authOptions"] == {"mode": "token", "secretName": "laketag-ray-token"}


def test_the_head_has_no_cpu_and_no_gpu_for_tasks() -> None:
    start = job_spec("RayJob")["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]
    assert (start["num-cpus"], start["num-gpus"]) == ("0", "0")


def test_names_leave_room_for_what_kuberay_and_cronjobs_append() -> None:
    # generateName appends 5 signs, a CronJob '-' and the minute in 8 digits, start_rayjob.py its suffix
    nightly = read_document(INFRA / "kubernetes/nightly.yaml")["metadata"]["name"]
    longest = [
        manifest("RayJob")["metadata"]["generateName"] + 5 * "x",
        f"{nightly}-{8 * '0'}{STARTER['SUFFIX']}",
    ]
    assert all(len(name) <= STARTER["LONGEST_NAME"] for name in longest)


@pytest.mark.parametrize("group", range(3))
def test_shared_memory_holds_the_object_store_and_counts_as_memory(group: int) -> None:
    cluster = job_spec("RayJob")["rayClusterSpec"]
    node = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]][group]
    pod = node["template"]["spec"]
    (shared,) = [volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "shared-memory"]
    assert shared["medium"] == "Memory"
    store_gib = int(node["rayStartParams"]["object-store-memory"]) / 2**30
    memory_gib = gibibytes(pod["containers"][0]["resources"]["limits"]["memory"])
    assert 1.05 * store_gib < gibibytes(shared["sizeLimit"]) < 0.4 * memory_gib


@pytest.mark.parametrize("group", range(3))
def test_the_weights_find_room_in_what_a_pod_may_store(group: int) -> None:
    cluster = job_spec("RayJob")["rayClusterSpec"]
    pod = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]][group]["template"]["spec"]
    (weights,) = [volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "weights"]
    storage = pod["containers"][0]["resources"]["limits"]["ephemeral-storage"]
    assert gibibytes(weights["sizeLimit"]) < gibibytes(storage)


def test_gpu_pods_alone_ask_for_a_gpu_and_only_they_may_sit_on_gpu_nodes() -> None:
    cluster = job_spec("RayJob")["rayClusterSpec"]
    for node in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        gpu = node.get("groupName") == "gpu"
        pod = node["template"]["spec"]
        (container,) = pod["containers"]
        tolerated = any(toleration["key"] == "nvidia.com/gpu" for toleration in pod.get("tolerations", ()))
        assert pod["nodeSelector"] == {"laketag.io/pool": "gpu" if gpu else "cpu"}
        assert container["image"].endswith("-cuda" if gpu else "-cpu")
        assert tolerated is gpu
        assert all(("nvidia.com/gpu" in part) is gpu for part in container["resources"].values())


def test_gpus_begin_at_none() -> None:
    groups = {group["groupName"]: group for group in job_spec("RayJob")["rayClusterSpec"]["workerGroupSpecs"]}
    assert (groups["gpu"]["replicas"], groups["gpu"]["minReplicas"]) == (0, 0)
    assert groups["gpu"]["maxReplicas"] > 0


def test_autoscaler_v2_gets_pods_that_are_not_restarted() -> None:
    cluster = job_spec("RayJob")["rayClusterSpec"]
    assert cluster["autoscalerOptions"]["version"] == "v2"
    nodes = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert {node["template"]["spec"]["restartPolicy"] for node in nodes} == {"Never"}
