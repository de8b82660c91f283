"""Any command through the Jobs API: same labels, own log and exit code, stop and go on, nodes that leave and join."""

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from laketag.demo.lake import FAULTS
from laketag.pipeline.progress.metrics import METRICS
from laketag.pipeline.store.folders import list_files
from tests.cluster.commands import follow, must_submit, submit
from tests.cluster.exported import exported, read_exported
from tests.cluster.ray_cluster import RayCluster, RayNode, serve_ray
from tests.end_to_end.command_line import (
    Following,
    must_spawn,
    one_line,
    overrides,
    spawn_laketag,
    wait_until,
)
from tests.end_to_end.held import BEGUN, FREE, Held, hold_back
from tests.end_to_end.lakes import (
    DEMO_DESCRIPTIONS,
    DEMO_SETTINGS,
    MANY,
    SOUND,
    assert_same,
    label,
    many_images,
    put_all,
    put_names,
    staged_parts,
    table,
)
from tests.label_actors import AT_WORK, hold_at_work, label_actors
from tests.process_tree import kill_all
from tests.stores.fault_proxy import Fault, serve_faults
from tests.stores.store import Store

pytestmark = [pytest.mark.cluster, pytest.mark.ceph, pytest.mark.timeout(900)]


def living(cluster: RayCluster) -> list[RayNode]:
    return [node for node in cluster.nodes if node.process.poll() is None]


def busiest(cluster: RayCluster, run: Following, actors: int) -> RayNode:
    """A node on which so many label actors have loaded their models."""

    def found() -> list[RayNode]:
        return [node for node in living(cluster) if len(label_actors(node.process.pid)) == actors]

    run.until(found, f"{actors} label actors of one node are ready")
    return found()[0]


@contextmanager
def labelling(
    cluster: RayCluster, store: Store, settings: Path, described: Path, *options: str
) -> Iterator[tuple[Held, Following]]:
    """A run over a lake that is held back in two groups, which has staged its first parts."""
    with hold_back(store, described, (FREE, FREE + 12)) as held:
        run = follow(cluster, *label(held.lake), *held.options, *overrides(*options), settings=settings)
        run.until(held.has_begun, BEGUN)
        yield held, run


def kill_busiest(cluster: RayCluster, held: Held, run: Following, actors: int) -> None:
    """The store has given more; a node with so many label actors, one of which was at work on it, is gone."""
    node = busiest(cluster, run, actors)
    with hold_at_work(run, node.process.pid) as at_work:
        held.let_go()
        at_work.until_caught(1)
        alive = cluster.count_alive()
        node.kill()  # with its label actors, and the blocks that they were given
    run.until(lambda: cluster.count_alive() < alive, "the head knows that the node is gone")


def test_the_demo_is_labelled_on_the_cluster_as_on_one_machine(
    cluster: RayCluster, ceph: Store, demo_images: dict[str, bytes], demo_table: pl.DataFrame
) -> None:
    """Index, describe and label by submission; the log comes while the job runs; Prometheus sees what the ledger says."""
    put_all(ceph, demo_images)
    lake = ceph.url("lake")
    index = ("index", put_names(ceph, demo_images), "--root", lake, "-c", "watched", "--id-column", "id")
    assert f"{len(demo_images)}" in must_submit(cluster, *index)
    must_submit(
        cluster, "describe", str(DEMO_DESCRIPTIONS), "--root", lake, "-s", "s", settings=DEMO_SETTINGS
    )

    expected = {f"ray_{name}" for name in METRICS}
    most: dict[str, float] = {}

    def shown() -> bool:
        """Whether each metric was there, also the gauges that are forgotten soon after their process has ended."""
        for sample in read_exported(cluster):
            most[sample.name] = max(sample.value, most.get(sample.name, 0.0))
        return expected <= most.keys() and most["ray_laketag_images_per_second"] > 0

    retried, *_, last = (re.escape(name) for name in demo_images if "/hard-" in name)
    with serve_faults(ceph.env["AWS_ENDPOINT_URL"]) as proxy:
        proxy.add(Fault("status", path=retried, method="GET", times=1))
        held_back = proxy.add(Fault("hold", path=last, method="GET"))
        options = overrides(f"storage.endpoint_url={proxy.url}", "fetch.deadline_s=600")
        run = follow(cluster, *label(lake, "watched"), *options, settings=DEMO_SETTINGS)
        run.until(shown, f"Prometheus is shown {', '.join(expected)}")
        assert "label actor(s)" in run.text, "the log comes while the job runs"
        held_back.over = True
        assert run.wait() == 0, run.text
    assert f"planned {len(demo_images)}" in one_line(run.text)

    ours = table(ceph, lake)
    assert_same(demo_table, ours)
    after = [sample for sample in read_exported(cluster) if sample.tags["collection"] == "watched"]
    ledger = Counter(ours["failure"].cast(pl.String).fill_null("labelled").to_list())
    assert ledger == {"labelled": SOUND} | Counter(fault for fault in FAULTS if fault != "no_image")
    assert {s.tags["outcome"]: s.value for s in after if s.name == "ray_laketag_images_total"} == ledger
    values: Counter[str] = Counter()
    for sample in after:
        values[sample.name] += sample.value
    assert values["ray_laketag_bytes_read_total"] == sum(map(len, demo_images.values()))
    assert values["ray_laketag_fetch_retries_total"] == 1
    actors = re.search(r"^(\d+) label actor", run.text, re.MULTILINE)
    assert actors
    assert most["ray_laketag_run_label_actors"] == int(actors[1])
    assert most["ray_laketag_run_label_actor_restarts"] == 0
    assert most["ray_laketag_run_planned_images"] == len(demo_images)


def test_a_stopped_job_releases_its_lease_and_the_same_submission_goes_on(
    cluster: RayCluster, ceph, small_blocks, described
) -> None:
    on = ("--address", cluster.address)
    with hold_back(ceph, described) as held:
        lake = held.lake
        detached = submit(cluster, *label(lake), *held.options, settings=small_blocks, detach=True)
        job = detached.out.strip()
        assert (detached.code, job.startswith("laketag-label-"), job.count("\n")) == (0, True, 0), detached
        wait_until(
            lambda: f"{job} │ running" in one_line(must_spawn("jobs", *on, env=cluster.submitter_env)),
            "the job is listed as running",
        )
        wait_until(held.has_begun, BEGUN)
        stopped = must_spawn("jobs", "stop", job, *on, env=cluster.submitter_env)
        followed = spawn_laketag("jobs", "follow", job, *on, env=cluster.submitter_env)
    assert "submit the same command again" in stopped
    assert followed.code == 130, followed
    assert "finished work is kept" in followed.out
    assert [url for url in list_files(f"{lake}/staging", ceph.storage, suffix="") if "/leases/" in url] == []
    kept = len(staged_parts(ceph, lake))
    assert 0 < kept <= FREE // 4

    said = must_submit(cluster, *label(lake), settings=small_blocks)
    assert "going on with run" in said
    ours = table(ceph, lake)
    assert ours["image_id"].to_list() == sorted(many_images())
    assert ours["label"].null_count() == 0
    assert "nothing to do" in must_submit(cluster, *label(lake), settings=small_blocks)
    assert "has ended already" in must_spawn("jobs", "stop", job, *on, env=cluster.submitter_env)


def test_a_failing_job_ends_with_its_own_sentence_and_exit_code(cluster: RayCluster, ceph) -> None:
    outcome = submit(cluster, *label(ceph.url("nowhere")))
    assert outcome.code == 2, outcome
    assert "error:" in outcome.out
    assert "Traceback" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}, "invalid"),
        ({}, "Missing authentication token"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/nowhere"}, "token"),
    ],
    ids=["wrong", "none", "no file"],
)
@pytest.mark.parametrize(
    "command", [("submit", "--", "query", "runs", "--root", "s3://b/l"), ("jobs",)], ids=["submit", "jobs"]
)
def test_a_wrong_or_missing_token_is_refused(cluster: RayCluster, env, said, command) -> None:
    outcome = spawn_laketag(*command[:1], "--address", cluster.address, *command[1:], env=env)
    assert outcome.code == 8, outcome
    assert said in one_line(outcome.err)
    assert "RAY_AUTH_TOKEN" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_job_without_credentials_on_the_cluster_says_where_they_belong(ceph, small_blocks) -> None:
    """The submitter has them in its environment; they stay there."""
    public = {name: value for name, value in ceph.env.items() if "KEY" not in name}
    with serve_ray(public, workers=0) as bare:
        arguments = ("submit", "--address", bare.address, "--", *label(ceph.url("lake")))
        outcome = spawn_laketag(*arguments, env=bare.submitter_env | dict(ceph.env))
    assert outcome.code == 4, outcome
    assert "no usable credentials" in one_line(outcome.out)
    assert "laketag submit never sends any" in one_line(outcome.out)
    assert ceph.env["AWS_SECRET_ACCESS_KEY"] not in outcome.out + outcome.err
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == ceph.env["AWS_SECRET_ACCESS_KEY"]


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
    longer = tmp_path / "longer.toml"  # a batch takes many looks
    longer.write_text(small_blocks.read_text().replace("crops = 4", "crops = 1000"))
    with labelling(cluster, ceph, longer, described, "run.actors=1") as (held, run):
        kept = len(staged_parts(ceph, held.lake))
        held.let_go()
        while not run.ended:
            kill_all([actor for node in living(cluster) for actor in label_actors(node.process.pid, AT_WORK)])
            time.sleep(0.1)  # each look walks all of /proc
        assert run.wait() == 8, run.text
    assert "what was done is kept" in one_line(run.text)
    assert "Traceback" not in run.text
    assert len(staged_parts(ceph, held.lake)) >= kept >= 3
