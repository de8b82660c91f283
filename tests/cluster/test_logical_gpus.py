"""A cluster of one machine with logical GPUs: what is decided, where actors run, and that no GPU is made up."""

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray._private.state import actors
from ray.cluster_utils import Cluster
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import choose_classifier
from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.label_actors import CLASS
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.resources import decide_resources
from laketag.pipeline.config import RunSettings
from laketag.pipeline.flows.label_images import Labelling, label_chain
from laketag.pipeline.flows.plan_run import LabelRequest, find_unlabelled, plan_run
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.staging import Run
from laketag.pipeline.settings_file import read_settings
from tests.end_to_end.command_line import spawn_laketag
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
    """On the CPU, as these GPUs are only logical."""
    settings = read_settings(tiny_settings)
    opened = open_lake(lake.url("lake"), settings.storage)
    classifier = choose_classifier(settings, latest_embedded_set(opened, "s"))
    run = plan_run(opened, LabelRequest(collection="c", set_name="s"), classifier, settings)
    assert isinstance(run, Run)
    with ray_runtime() as runtime, hold_lease(opened, "test") as lease:
        cuda = decide_resources(runtime, settings.run, len(IMAGES))
        resources = dataclasses.replace(cuda, device="cpu", batch_size=2, rows_per_block=2)
        assert resources.gpus_per_actor == 1
        labelling = Labelling(
            lake=opened,
            run=run,
            classifier=classifier,
            settings=settings,
            lease=lease,
            console=Console(file=io.StringIO()),
        )
        with open_blocks(label_chain(labelling, find_unlabelled(opened, run), resources)) as blocks:
            assert sum(sum(block["images"].to_pylist()) for block in blocks) == len(IMAGES)
        ended = [actor for actor in actors().values() if actor["ActorClassName"] == CLASS]
        hosts = {actor["Address"]["NodeID"] for actor in ended}
    assert hosts == {node["NodeID"] for node in ray.nodes() if node["Resources"].get("GPU")}
    assert find_unlabelled(opened, run).is_empty()


def test_a_gpu_that_is_not_there_is_a_model_error_and_no_hang(
    gpu_cluster: Cluster, lake: Store, tiny_settings: Path
) -> None:
    arguments = (*label(lake.url("lake")), "--settings", str(tiny_settings), "-o", "run.device=cuda")
    outcome = spawn_laketag(*arguments, env={"RAY_ADDRESS": gpu_cluster.address})
    assert outcome.code == 3, outcome
    assert "torch sees no GPU in this process; set run.device=cpu" in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.out + outcome.err
    assert "RayTaskError" not in outcome.out + outcome.err
