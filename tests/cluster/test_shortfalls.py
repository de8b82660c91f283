"""What a run does without or waits for is said, and nothing where it has all."""

from dataclasses import replace

from laketag.pipeline.cluster.nodes import GIB, Node, total
from laketag.pipeline.cluster.ray_runtime import RayRuntime
from laketag.pipeline.cluster.resources import decide_resources
from laketag.pipeline.cluster.shortfalls import describe_shortfalls
from laketag.pipeline.config import RunSettings
from tests.cluster.test_resources import LOG

LARGE = 64 * GIB


def said(*nodes: Node, free: Node | None = None, **settings: object) -> list[str]:
    """What is said of a cluster of these nodes."""
    runtime = RayRuntime(False, nodes, LOG, free=free or total(nodes), cores=2)
    chosen = RunSettings.model_validate(settings)
    return describe_shortfalls(runtime, chosen, decide_resources(runtime, chosen, 100_000))


def test_nothing_is_said_of_a_cluster_that_has_all() -> None:
    assert said(Node(8, 2, LARGE)) == []
    assert said(Node(8, 0, LARGE), Node(8, 0, LARGE)) == []


def test_a_cluster_that_must_grow_first_is_told() -> None:
    (sentence,) = said(Node(4, 0, LARGE), autoscaling=True, device="cuda", actors=2, max_actors=16)
    assert "must grow first" in sentence
    assert "2 GPU (it has 0)" in sentence


def test_what_other_jobs_hold_is_told() -> None:
    busy = replace(total((Node(32, 4, LARGE),)), gpus=1.0)
    assert said(Node(32, 4, LARGE), free=busy) == [
        "other jobs hold 3 of 4 GPUs now; label actors wait for them"
    ]
    assert said(Node(8, 0, LARGE), free=Node(2.0)) == [
        "other jobs hold 6 of 8 CPUs now; label actors wait for them"
    ]


def test_idle_gpus_and_why_are_told() -> None:
    def idle(**settings: object) -> str:
        return said(Node(64, 8, LARGE), **settings)[0]

    assert idle(actors=2) == "6 of 8 GPUs stay idle; run.actors is set lower"
    assert idle(max_actors=4) == "4 of 8 GPUs stay idle; run.max_actors is set lower"
    assert idle(device="cpu") == "8 of 8 GPUs stay idle; run.device is cpu"
    assert said(Node(2, 8, LARGE))[0] == "4 of 8 GPUs stay idle; CPUs are too few for more actors"


def test_gpus_with_too_few_cpus_to_decode_for_them_are_told() -> None:
    (sentence,) = said(Node(8, 8, LARGE))
    assert sentence.startswith("only 5 images are decoded at once for 8 GPUs")


def test_memory_that_is_not_reserved_is_told() -> None:
    (sentence,) = said(Node(8, 0, 3 * GIB))
    assert "no memory is reserved" in sentence
    assert said(Node(8, 0, 3 * GIB), memory_per_actor_gib=0) == []
