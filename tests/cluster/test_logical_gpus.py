"""A cluster of one machine with logical GPUs: what is decided, where actors run, and that no GPU is made up."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.resources import decide_resources
from laketag.pipeline.config import RunSettings
from tests.end_to_end.command_line import PROJECT, command_env, spawn_laketag
from tests.end_to_end.lakes import index_named, label, many_images, put_all, put_described
from tests.end_to_end.shared_ray import SharedRay
from tests.stores.store import Store, folder_store

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
IMAGES = many_images(24)


@pytest.fixture(scope="module")
def gpu_cluster(described: Path, shared_ray: SharedRay) -> Iterator[Cluster]:
    """A head without GPUs and two nodes with one each, that this process is connected to, once ``described`` is made."""
    shared_ray.leave()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=2, num_gpus=1)
    cluster.connect()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def lake(tmp_path: Path, described: Path) -> Store:
    """Images, indexed and described, in a folder."""
    store = folder_store(tmp_path)
    put_all(store, IMAGES)
    index_named(store, store.url("lake"), IMAGES)
    put_described(store, store.url("lake"), described)
    return store


@pytest.mark.parametrize(("share", "actors"), [(1.0, 2), (0.5, 4), (0.4, 4)])
def test_each_gpu_gets_its_actors(gpu_cluster: Cluster, share: float, actors: int) -> None:
    with ray_runtime() as runtime:
        assert (runtime.total.cpus, runtime.total.gpus, runtime.embedded) == (6.0, 2.0, False)
        resources = decide_resources(runtime, RunSettings(gpus_per_actor=share), 100)
    assert (resources.device, resources.actors, resources.gpus_per_actor) == ("cuda", actors, share)


def test_label_actors_run_on_the_nodes_with_gpus_only(
    gpu_cluster: Cluster, lake: Store, tiny_settings: Path
) -> None:
    """In a process of its own: another Ray that this one was connected to numbered its actors alike."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster.label_on_logical_gpus", lake.url("lake"), str(tiny_settings)],
        env=command_env({"RAY_ADDRESS": gpu_cluster.address}),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["images"] == len(IMAGES)
    assert set(answer["hosts"]) == {node["NodeID"] for node in ray.nodes() if node["Resources"].get("GPU")}


def test_a_gpu_that_is_not_there_is_a_model_error_and_no_hang(
    gpu_cluster: Cluster, lake: Store, tiny_settings: Path
) -> None:
    arguments = (*label(lake.url("lake")), "--settings", str(tiny_settings), "-o", "run.device=cuda")
    outcome = spawn_laketag(*arguments, env={"RAY_ADDRESS": gpu_cluster.address})
    assert outcome.code == 3, outcome
    assert "torch sees no GPU in this process; set run.device=cpu" in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.out + outcome.err
    assert "RayTaskError" not in outcome.out + outcome.err
