"""Runs whose nodes and label actors are killed: nodes that leave and join, that stay away, an actor that keeps dying."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.commands import follow
from tests.cluster.exported import exported
from tests.cluster.ray_cluster import RayCluster, RayNode
from tests.end_to_end.command_line import Following, one_line, overrides
from tests.end_to_end.held import BEGUN, FREE, Held, hold_back
from tests.end_to_end.lakes import MANY, assert_same, label, staged_parts, table
from tests.label_actors import hold_at_work, label_actors
from tests.process_tree import kill_all
from tests.stores.store import Store

pytestmark = [pytest.mark.cluster, pytest.mark.ceph, pytest.mark.chaos, pytest.mark.timeout(900)]


def living(cluster: RayCluster) -> list[RayNode]:
    return [node for node in cluster.nodes if node.process.poll() is None]


def busiest(cluster: RayCluster, run: Following, actors: int) -> RayNode:
    """A node on which this many label actors have loaded their models."""

    def found() -> list[RayNode]:
        return [node for node in living(cluster) if len(label_actors(node.process.pid)) == actors]

    run.until(found, f"{actors} label actors of one node are ready")
    return found()[0]


@contextmanager
def labelling(
    cluster: RayCluster, store: Store, settings: Path, described: Path, *options: str
) -> Iterator[tuple[Held, Following]]:
    """A run over a lake that is held back in two groups, which has staged its first parts."""
    with hold_back(store, described, (FREE, FREE + 20)) as held:
        run = follow(cluster, *label(held.lake), "-v", *held.options, *overrides(*options), settings=settings)
        run.until(held.has_begun, BEGUN)
        yield held, run


def kill_busiest(cluster: RayCluster, held: Held, run: Following, actors: int) -> None:
    """The store has given more; a node with this many label actors, one of which was at work on it, is gone."""
    node = busiest(cluster, run, actors)
    with hold_at_work(run, *(every.process.pid for every in living(cluster))) as at_work:
        held.let_go()
        at_work.until_stopped(node.process.pid)
        alive = cluster.count_alive()
        node.kill()  # with its label actors, and the blocks that they were given
    run.until(lambda: cluster.count_alive() < alive, "the head knows that the node is gone")


def test_a_node_that_leaves_and_one_that_joins_change_nothing(
    cluster: RayCluster, ceph, small_blocks, described, undisturbed
) -> None:
    with labelling(cluster, ceph, small_blocks, described, "run.actors=3") as (held, run):
        kill_busiest(cluster, held, run, actors=2)
        joined = cluster.add_worker()
        run.until(lambda: label_actors(joined.process.pid), "a label actor has come to the node that joined")
        run.until(lambda: exported(cluster, "label_actor_restarts") >= 1, "the restart is exported")
        held.let_go()
        assert run.wait() == 0, run.text
    assert f"labelled {MANY}" in one_line(run.text)
    assert "Traceback" not in run.text
    assert_same(undisturbed, table(ceph, held.lake))


def test_a_run_goes_on_with_fewer_actors_when_a_node_is_gone_for_good(
    cluster: RayCluster, ceph, small_blocks, described, undisturbed
) -> None:
    options = ("run.actors=3", "run.missing_nodes_s=5")
    with labelling(cluster, ceph, small_blocks, described, *options) as (held, run):
        kill_busiest(cluster, held, run, actors=2)
        run.until(lambda: "going on with" in run.text, "the run begins again")
        held.let_go()
        assert run.wait() == 0, run.text
    cluster.add_worker()  # for the tests that follow
    said = one_line(run.text)
    assert "3 label actor(s) on cpu" in said
    assert "the cluster has room for 1 of 3 label actors" in said
    assert "going on with" in said
    assert "1 label actor(s) on cpu" in said.partition("going on with")[2]
    assert f"labelled {MANY}" in said
    assert "Traceback" not in said
    assert_same(undisturbed, table(ceph, held.lake))


def test_a_label_actor_that_dies_again_and_again_ends_the_run_with_a_sentence(
    cluster: RayCluster, ceph, small_blocks, described, tmp_path
) -> None:
    """As one does that outgrows its memory; what was done before is kept."""
    slower = tmp_path / "slower.toml"  # a batch takes seconds, so that no actor finishes one unseen
    slower.write_text(small_blocks.read_text().replace("crops = 100", "crops = 1000"))
    with labelling(cluster, ceph, slower, described, "run.actors=1") as (held, run):
        kept = len(staged_parts(ceph, held.lake))
        with hold_at_work(run, *(node.process.pid for node in living(cluster))) as at_work:
            held.let_go()
            at_work.until(lambda: kill_all(at_work.stopped) or run.ended, "the run has ended")
    assert run.wait() == 8, run.text
    assert "is kept, with" in one_line(run.text)
    assert "Traceback" not in run.text
    assert len(staged_parts(ceph, held.lake)) >= kept >= 3
