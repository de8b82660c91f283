"""A cluster that adds its nodes on demand: from none to as many as the run's actors need, at once, and back to none."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.cluster.commands import follow
from tests.cluster.exported import exported
from tests.cluster.growing_cluster import serve_growing_ray
from tests.cluster.ray_cluster import RayCluster
from tests.end_to_end.command_line import one_line, overrides, wait_until
from tests.end_to_end.lakes import (
    assert_same,
    index_named,
    label,
    many_images,
    put_all,
    put_described,
    table,
)
from tests.label_actors import hold_at_work
from tests.stores.store import folder_store

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
NODES = 2
IMAGES = 40
LULL_S = 12.0
"""Longer than Ray Data lets a new pool be before it may shrink (10 s)."""


@pytest.fixture
def growing() -> Iterator[RayCluster]:
    """A head alone, whose autoscaler may start two nodes of three CPUs."""
    with serve_growing_ray({}, {"CPU": 3}, most=NODES) as cluster:
        yield cluster


def test_a_run_brings_all_its_nodes_at_once_and_leaves_none(
    growing: RayCluster, tmp_path: Path, small_blocks: Path, described: Path, undisturbed: pl.DataFrame
) -> None:
    store, images = folder_store(tmp_path), many_images(IMAGES)
    put_all(store, images)
    lake = store.url("lake")
    index_named(store, lake, images)
    put_described(store, lake, described)
    options = (
        "autoscaling=true",
        "device=cpu",
        "actors=1",
        f"max_actors={NODES}",
        "cpus_per_actor=2",
        "memory_per_actor_gib=0",  # the declared nodes have none, as real ones do
    )
    chosen = overrides(*(f"run.{option}" for option in options))
    assert growing.count_alive() == 1

    run = follow(growing, *label(lake), *chosen, settings=small_blocks)
    with hold_at_work(run, growing.head.process.pid) as held:  # its autoscaler starts the others below it
        held.until(lambda: exported(growing, "label_actors") == NODES, "every node has its label actor")
        time.sleep(LULL_S)  # a pool that may shrink would do so in this time
        assert exported(growing, "label_actors") == NODES, (
            "the pool keeps an actor that waits for its next block"
        )
    assert run.wait() == 0, run.text
    assert f"1 to {NODES} label actor(s) on cpu" in run.text
    assert "the cluster must grow first: the run needs 3 CPU (it has 0)" in run.text
    assert f"labelled {IMAGES}" in one_line(run.text)
    assert "(raylet)" not in run.text  # Ray's own words about what it waits for are in its log
    assert_same(undisturbed.filter(pl.col("image_id").is_in(list(images))), table(store, lake))

    log = (growing.folder / "session_latest" / "logs" / "monitor.log").read_text()
    assert re.findall(r"Adding (\d+) node", log) == [str(NODES)], log  # one request for all
    wait_until(lambda: growing.count_alive() == 1, "the nodes are gone again")
