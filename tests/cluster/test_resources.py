"""Resources never ask for more than there is, and follow the settings."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from laketag.pipeline.cluster.actor_shape import DECODE_CPUS, OTHER_CPUS
from laketag.pipeline.cluster.nodes import GIB, Node, total
from laketag.pipeline.cluster.ray_runtime import RayRuntime
from laketag.pipeline.cluster.resources import Resources, decide_resources
from laketag.pipeline.config import RunSettings
from laketag.pipeline.errors import ClusterError

LOG = Path("ray.log")


def cluster(*nodes: Node) -> RayRuntime:
    return RayRuntime(False, nodes, LOG, free=total(nodes), cores=2)


def decide(runtime: RayRuntime, planned: int = 100_000, **settings: object) -> Resources:
    return decide_resources(runtime, RunSettings.model_validate(settings), planned)


nodes = st.builds(
    Node,
    cpus=st.sampled_from([0.0, 1.0, 2.0, 4.0, 8.0, 63.0, 192.0]),
    gpus=st.sampled_from([0.0, 0.0, 1.0, 2.0, 8.0]),
    memory_bytes=st.integers(0, 500).map(lambda gib: float(gib * GIB)),
)
settings = st.fixed_dictionaries(
    {},
    optional={
        "device": st.sampled_from(["auto", "cpu", "cuda"]),
        "actors": st.integers(1, 40),
        "gpus_per_actor": st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0, 2.0]),
        "cpus_per_actor": st.sampled_from([0.1, 0.5, 1.0, 3.0, 8.0]),
        "memory_per_actor_gib": st.sampled_from([0.0, 1.0, 16.0]),
    },
)


def place(runtime: RayRuntime, resources: Resources, order: int = 1) -> list[float] | None:
    """CPUs left on each node after the actors were placed one by one; None if one finds no room.

    ``order`` -1 begins with the last node.
    """
    rooms = [[node.cpus, [1.0] * int(node.gpus), node.memory_bytes] for node in runtime.nodes[::order]]
    for _ in range(resources.actors):
        for room in rooms:
            gpus: list[float] = room[1]  # type: ignore[assignment]
            want = resources.gpus_per_actor
            chosen = [index for index, free in enumerate(gpus) if free >= min(want, 1) - 1e-6][
                : math.ceil(want)
            ]
            if (
                room[0] >= resources.cpus_per_actor - 1e-6  # type: ignore[operator]
                and len(chosen) == math.ceil(want)
                and room[2] >= resources.memory_per_actor_bytes  # type: ignore[operator]
            ):
                room[0] -= resources.cpus_per_actor  # type: ignore[operator]
                room[2] -= resources.memory_per_actor_bytes  # type: ignore[operator]
                for index in chosen:
                    gpus[index] -= min(want, 1)
                break
        else:
            return None
    return [room[0] for room in rooms]  # type: ignore[misc]


def has_room(runtime: RayRuntime, refused: str) -> bool:
    """Whether actors of the shape that was refused, as the refusal says, could be placed all the same, with the rest."""
    said = re.match(
        r"(\d+) label actor\(s\) on (\w+) with ([\d.]+) CPU, ([\d.]+) GPU(?: and ([\d.]+) GiB)? each", refused
    )
    assert said, refused
    actors, device, cpus, gpus, memory = said.groups()
    asked = Resources(
        device=device,
        actors=int(actors),
        max_actors=int(actors),
        autoscaling=False,
        cpus_per_actor=float(cpus),
        gpus_per_actor=float(gpus),
        memory_per_actor_bytes=int(float(memory or 0) * GIB),
        threads_per_actor=1,
        fetch_slots=1,
        decode_slots=1,
        batch_size=1,
        rows_per_block=1,
    )
    left = place(runtime, asked)
    return left is not None and sum(left) >= OTHER_CPUS and max(left) >= DECODE_CPUS


@given(st.lists(nodes, min_size=1, max_size=6), settings, st.integers(0, 10**6))
def test_no_more_is_asked_for_than_there_is_or_what_lacks_is_named(found, chosen, planned) -> None:
    runtime = cluster(*found)
    refused = None
    try:
        resources = decide(runtime, planned, **chosen)
    except ClusterError as error:
        refused = str(error)
    if refused is not None:
        assert re.search(r"need more than the cluster has: .*(CPU|GPU|GiB).* \(it has ", refused)
        assert not has_room(runtime, refused)
        return
    assert place(runtime, resources, -1) is not None
    left = place(runtime, resources)
    assert left is not None
    assert sum(left) >= OTHER_CPUS - 1e-6
    assert max(left) >= DECODE_CPUS - 1e-6
    assert 1 <= resources.batch_size <= resources.rows_per_block
    assert resources.actors <= resources.max_actors
    assert (resources.device == "cuda") == (resources.gpus_per_actor > 0)


@given(st.lists(nodes, min_size=1, max_size=4), settings)
def test_settings_decide_each_number_they_name(found, chosen) -> None:
    overrides = {"fetch_slots": 5, "decode_slots": 3, "threads_per_actor": 2, "max_actors": 50}
    try:
        resources = decide(cluster(*found), **(chosen | overrides))
    except ClusterError:
        assume(False)
    for name, value in (chosen | overrides).items():
        if name == "memory_per_actor_gib":
            assert resources.memory_per_actor_bytes == value * GIB
        elif name == "gpus_per_actor":
            assert resources.gpus_per_actor == (value if resources.device == "cuda" else 0)
        elif name != "device" or value != "auto":
            assert getattr(resources, name) == value


@pytest.mark.parametrize(
    ("found", "chosen", "actors", "cpus"),
    [
        ([Node(8, 1)] * 4, {}, 4, 1.0),
        (
            [Node(8, 8)],
            {},
            8,
            0.5,
        ),  # eight CPUs hold eight actors and the other stages only at half a CPU each
        ([Node(0), Node(16, 2)], {"gpus_per_actor": 0.5}, 4, 1.0),
        (
            [Node(16, 1), Node(16, 1)],
            {"gpus_per_actor": 0.4},
            4,
            1.0,
        ),  # five fit in 2.0 GPUs, but none spans two
        ([Node(16, 8)], {"gpus_per_actor": 2}, 4, 1.0),
        ([Node(64, 4), Node(64)], {"device": "cpu"}, 2, 48.0),
        ([Node(0), Node(2), Node(2)], {}, 3, 1.0),
        ([Node(2)], {}, 1, 1.0),
        ([Node(64), Node(1)], {}, 1, 48.0),  # one small node does not make 48 actors of one CPU
        ([Node(64), Node(2)], {}, 1, 48.0),
        ([Node(16), *[Node(4)] * 10], {}, 14, 3.0),  # nor does one large node leave the others idle
    ],
)
def test_label_actors_follow_the_gpus_or_three_quarters_of_the_cpus(found, chosen, actors, cpus) -> None:
    resources = decide(cluster(*found), **chosen)
    assert (resources.actors, resources.cpus_per_actor) == (actors, cpus)
    if resources.device == "cpu":
        assert resources.threads_per_actor == cpus


def test_an_embedded_ray_has_one_actor_with_all_cores() -> None:
    here = (Node(4, 0, 8 * GIB),)
    resources = decide(RayRuntime(True, here, LOG, free=total(here), cores=4))
    assert (resources.actors, resources.cpus_per_actor, resources.threads_per_actor) == (1, 1.0, 4)
    assert resources.memory_per_actor_bytes == 2 * GIB


@pytest.mark.parametrize(
    ("found", "chosen", "said"),
    [
        ([Node(8)], {"device": "cuda"}, r"1 GPU \(it has 0\)"),
        ([Node(1)], {}, r"2 CPU \(it has 1\)"),
        ([Node(8, 1), Node(8, 1)], {"gpus_per_actor": 2}, "a node with .* 2 GPU.* free"),
        ([Node(8, 0, 4 * GIB)], {"memory_per_actor_gib": 8}, r"8 GiB memory \(it has 4\)"),
        ([Node(4)], {"actors": 4}, r"5 CPU \(it has 4\)"),
        ([Node(1.25)] * 4, {"actors": 4, "cpus_per_actor": 1}, "on one node to decode with"),
    ],
)
def test_what_the_cluster_lacks_is_said(found, chosen, said) -> None:
    with pytest.raises(ClusterError, match=said):
        decide(cluster(*found), **chosen)


def test_an_autoscaling_cluster_is_asked_for_all_actors_at_once_and_feeds_them_once_it_has_grown() -> None:
    chosen = {"autoscaling": True, "device": "cuda", "actors": 1, "max_actors": 8}
    for small in (cluster(Node(0)), cluster(Node(0), Node(7))):
        resources = decide(small, **chosen)
        assert (resources.actors, resources.max_actors, resources.autoscaling) == (1, 8, True)
        assert (resources.device, resources.cpus_per_actor) == ("cuda", 1)
        assert resources.fetch_slots == resources.decode_slots == 64
    grown = cluster(Node(0), Node(7), *[Node(7, 1)] * 8)
    assert decide(grown, **chosen).decode_slots >= 64


@pytest.mark.parametrize("chosen", [{}, {"max_actors": 4}, {"device": "cuda"}])
def test_autoscaling_without_a_device_and_a_limit_is_refused(chosen: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="autoscaling = true needs max_actors"):
        RunSettings.model_validate({"autoscaling": True} | chosen)


def test_a_small_plan_is_cut_into_enough_blocks_for_every_actor() -> None:
    runtime = cluster(Node(64, 4))
    assert decide(runtime, 10**6).rows_per_block == 128
    assert decide(runtime, 1000).rows_per_block == 32
    assert decide(runtime, 3).rows_per_block == 8
    assert decide(cluster(Node(64)), 10**6).rows_per_block == 16  # which a CPU takes minutes for


def test_batches_are_small_on_a_cpu_unless_set() -> None:
    assert decide(cluster(Node(8, 1))).batch_size == 32
    assert decide(cluster(Node(8))).batch_size == 8
    assert decide(cluster(Node(8)), batch_size=32).batch_size == 32


def test_what_is_set_is_kept_however_small_the_plan() -> None:
    runtime = cluster(Node(8))
    both = decide(runtime, 3, batch_size=64, rows_per_block=100)
    assert (both.batch_size, both.rows_per_block) == (64, 100)
    batch = decide(runtime, 3, batch_size=64)
    assert (batch.batch_size, batch.rows_per_block) == (64, 64)
    block = decide(runtime, 3, rows_per_block=2)
    assert (block.batch_size, block.rows_per_block) == (2, 2)


def test_resources_are_one_readable_line() -> None:
    assert str(decide(cluster(Node(8, 2, 64 * GIB)), max_actors=4)) == (
        "2 to 4 label actor(s) on cuda (1 CPU, 1 GPU, 2 GiB reserved each), "
        "7 fetch and 7 decode slots (1.75 and 1.75 for each GPU), 32 images a batch, 128 a block"
    )
    assert str(decide(cluster(Node(8)))) == (
        "1 label actor(s) on cpu (6 CPU, 6 torch thread(s) each), 2 fetch and 2 decode slots, "
        "8 images a batch, 16 a block"
    )
    assert str(cluster(Node(8, 2, 64 * GIB), Node(8))) == "2 node(s): 16 CPU, 2 GPU, 64 GiB memory"
