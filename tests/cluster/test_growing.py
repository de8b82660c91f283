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
from tests.end_to_end.held import BEGUN, hold_back
from tests.end_to_end.lakes import MANY, assert_same, label, table
from tests.stores.store import Store

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
NODES = 2
LULL_S = 12.0
"""Longer than Ray Data lets a new pool be before it may shrink (10 s)."""


@pytest.fixture
def growing(moto: Store) -> Iterator[RayCluster]:
    """A head alone, whose autoscaler may start two nodes of three CPUs."""
    with serve_growing_ray(moto.env, {"CPU": 3}, most=NODES) as cluster:
        yield cluster


def test_a_run_brings_all_its_nodes_at_once_and_leaves_none(
    growing: RayCluster, moto: Store, small_blocks: Path, described: Path, undisturbed: pl.DataFrame
) -> None:
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

    with hold_back(moto, described) as held:
        run = follow(growing, *label(held.lake), "-v", *held.options, *chosen, settings=small_blocks)
        run.until(lambda: exported(growing, "label_actors") == NODES, "every node has its label actor")
        run.until(held.has_begun, BEGUN)
        time.sleep(LULL_S)  # actors have nothing to do, and a pool that may shrink would do so in this time
        assert exported(growing, "label_actors") == NODES, (
            "the pool keeps actors that wait for their next block"
        )
        held.let_go()
        assert run.wait() == 0, run.text
    assert f"1 to {NODES} label actor(s) on cpu" in run.text
    assert "the cluster must grow first: the run needs 3 CPU (it has 0)" in run.text
    assert f"labelled {MANY}" in one_line(run.text)
    assert "(raylet)" not in run.text  # Ray's own words about what it waits for are in its log
    assert_same(undisturbed, table(moto, held.lake))

    log = (growing.folder / "session_latest" / "logs" / "monitor.log").read_text()
    assert re.findall(r"Adding (\d+) node", log) == [str(NODES)], log  # one request for all
    wait_until(lambda: growing.count_alive() == 1, "the nodes are gone again")
