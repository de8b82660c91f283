"""Nodes that leave and join while a run works: the table is that of a run on one machine."""

import re
import time
from pathlib import Path

import pytest

from tests.cluster.commands import follow
from tests.cluster.ray_cluster import RayCluster, RayNode
from tests.end_to_end.command_line import Following, must_run, one_line, wait_until
from tests.end_to_end.lakes import (
    MANY,
    index_named,
    label,
    label_on_this_machine,
    many_images,
    put_all,
    staged_parts,
    table,
)
from tests.end_to_end.test_equal_tables import assert_same
from tests.process_tree import Started, below, kill_all
from tests.stores.store import Store

pytestmark = [pytest.mark.cluster, pytest.mark.ceph, pytest.mark.timeout(900)]
READY = re.compile(r"ray::MapWorker\(MapBatches\(LabelImages\)\)(?!\.__init__)")
"""Title of a label actor that has loaded its models."""
AT_WORK = re.compile(r"ray::MapWorker\(MapBatches\(LabelImages\)\)\.submit")


def label_actors(node: RayNode, title: re.Pattern[str] = READY) -> list[Started]:
    """The node's processes that are label actors in that state."""
    return [process for process in below(node.process.pid) if title.search(process.title)]


def living(cluster: RayCluster) -> list[RayNode]:
    return [node for node in cluster.nodes if node.process.poll() is None]


def start_labelling(
    cluster: RayCluster, store: Store, settings: Path, descriptions: Path, *options: str
) -> tuple[str, Following]:
    """A run over many images that has staged its first parts; its lake and the submission."""
    images = many_images()
    put_all(store, images)
    lake = store.url("lake")
    index_named(store, lake, images)
    must_run(
        "describe", str(descriptions), "--root", lake, "-s", "s", "--settings", str(settings), env=store.env
    )
    run = follow(cluster, *label(lake), *options, settings=settings)
    wait_until(
        lambda: len(staged_parts(store, lake)) >= 3 or run.process.poll() is not None,
        "three parts are staged",
    )
    return lake, run


def test_a_node_that_leaves_and_one_that_joins_change_nothing(
    cluster: RayCluster, ceph, slow_settings, descriptions, tmp_path
) -> None:
    lake, run = start_labelling(cluster, ceph, slow_settings, descriptions)
    found: list[RayNode] = []
    wait_until(lambda: found.extend(n for n in living(cluster) if label_actors(n)) or found, "an actor works")
    host = found[0]
    host.kill()  # with the label actor, and what was fetched and decoded there
    wait_until(lambda: cluster.count_alive() == 2, "the head knows that the node is gone")
    cluster.add_worker()
    assert run.wait() == 0, run.text
    assert f"labelled {MANY}" in one_line(run.text)
    assert "Traceback" not in run.text
    assert_same(
        label_on_this_machine(tmp_path / "here", slow_settings, descriptions, many_images()),
        table(ceph, lake),
    )


def test_a_label_actor_that_dies_again_and_again_ends_the_run_with_a_sentence(
    cluster: RayCluster, ceph, slow_settings, descriptions, tmp_path
) -> None:
    """As one does that outgrows its memory; what was done before is kept."""
    slower = tmp_path / "slower.toml"  # a call takes seconds
    slower.write_text(slow_settings.read_text().replace("crops = 30", "crops = 1000"))
    lake, run = start_labelling(cluster, ceph, slower, descriptions, "-o", "run.actors=1")
    while run.process.poll() is None:
        kill_all([actor for node in living(cluster) for actor in label_actors(node, AT_WORK)])
        time.sleep(0.1)
    assert run.wait() == 8, run.text
    assert "what was done is kept" in one_line(run.text)
    assert "Traceback" not in run.text
    assert len(staged_parts(ceph, lake)) >= 3
