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
from tests.cluster.label_actors import AT_WORK, label_actors
from tests.cluster.ray_cluster import RayCluster, RayNode, serve_ray
from tests.end_to_end.command_line import Following, must_run, one_line, run_laketag, wait_until
from tests.end_to_end.held import Held, hold_back
from tests.end_to_end.lakes import (
    DEMO_DESCRIPTIONS,
    DEMO_SETTINGS,
    MANY,
    assert_same,
    label,
    many_images,
    put_all,
    put_names,
    staged_parts,
    table,
)
from tests.process_tree import kill_all
from tests.stores.fault_proxy import Fault, serve_faults
from tests.stores.store import Store

pytestmark = [pytest.mark.cluster, pytest.mark.ceph, pytest.mark.timeout(900)]


def living(cluster: RayCluster) -> list[RayNode]:
    return [node for node in cluster.nodes if node.process.poll() is None]


def busiest(cluster: RayCluster, actors: int) -> RayNode:
    """A node on which so many label actors have loaded their models."""
    found: list[RayNode] = []

    def look() -> bool:
        found.extend(node for node in living(cluster) if len(label_actors(node)) == actors)
        return bool(found)

    wait_until(look, f"{actors} label actors of one node are ready")
    return found[0]


@contextmanager
def labelling(
    cluster: RayCluster, store: Store, settings: Path, described: Path, *options: str
) -> Iterator[tuple[Held, Following]]:
    """A run over a lake that is held back, which has staged its first parts."""
    chosen = [word for option in options for word in ("-o", option)]
    with hold_back(store, described) as held:
        run = follow(cluster, *label(held.lake), *held.options, *chosen, settings=settings)
        wait_until(
            lambda: len(staged_parts(store, held.lake)) >= 3 or run.process.poll() is not None,
            "three parts are staged",
        )
        yield held, run


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

    retried = next(name for name in demo_images if "/hard-" in name)
    with serve_faults(ceph.env["AWS_ENDPOINT_URL"]) as proxy:
        proxy.add(Fault("status", path=re.escape(retried), method="GET", times=1))
        options = ("-o", f"storage.endpoint_url={proxy.url}")
        run = follow(cluster, *label(lake, "watched"), *options, settings=DEMO_SETTINGS)
        most: dict[str, float] = {}
        while run.process.poll() is None:  # gauges are gone soon after the process that set them
            for sample in read_exported(cluster):
                most[sample.name] = max(sample.value, most.get(sample.name, 0.0))
        assert run.wait() == 0, run.text
    arrived = next(when for when, line in run.lines if "label actor(s)" in line)
    assert arrived < run.lines[-1][0] - 1, f"the log came all at once:\n{run.text}"
    assert f"planned {len(demo_images)}" in one_line(run.text)

    ours = table(ceph, lake)
    assert_same(demo_table, ours)
    after = [sample for sample in read_exported(cluster) if sample.tags["collection"] == "watched"]
    names = most.keys() | {sample.name for sample in after}
    expected = {
        f"ray_{name}{'_count' if kind == 'histogram' else ''}" for name, (kind, _, _) in METRICS.items()
    }
    assert expected - names == set()
    ledger = Counter(ours["failure"].cast(pl.String).fill_null("labelled").to_list())
    assert ledger == {"labelled": 200} | Counter(fault for fault in FAULTS if fault != "no_image")
    assert {s.tags["outcome"]: s.value for s in after if s.name == "ray_laketag_images_total"} == ledger
    values: Counter[str] = Counter()
    for sample in after:  # each label actor exports its own
        values[sample.name] += sample.value
    assert values["ray_laketag_bytes_read_total"] == sum(map(len, demo_images.values()))
    assert values["ray_laketag_fetch_retries_total"] == 1
    actors = re.search(r"^(\d+) label actor", run.text, re.MULTILINE)
    assert actors
    assert most["ray_laketag_run_label_actors"] == int(actors[1])
    assert most["ray_laketag_run_label_actor_restarts"] == 0
    assert most["ray_laketag_run_planned_images"] == len(demo_images)
    assert most["ray_laketag_images_per_second"] > 0
    assert most["ray_laketag_rows_in_flight"] > 0
    assert values["ray_laketag_label_batch_seconds_sum"] > 0
    assert 0 < values["ray_laketag_model_seconds_total"] < 600


def test_a_stopped_job_releases_its_lease_and_the_same_submission_goes_on(
    cluster: RayCluster, ceph, slow_settings, described
) -> None:
    on = ("--address", cluster.address)
    with hold_back(ceph, described) as held:
        lake = held.lake
        detached = submit(cluster, *label(lake), *held.options, settings=slow_settings, detach=True)
        job = detached.out.strip()
        assert (detached.code, job.startswith("laketag-label-"), job.count("\n")) == (0, True, 0), detached
        wait_until(
            lambda: f"{job} │ running" in one_line(must_run("jobs", *on, env=cluster.submitter_env)),
            "the job is listed as running",
        )
        wait_until(lambda: len(staged_parts(ceph, lake)) >= 3, "three parts are staged")
        stopped = must_run("jobs", "stop", job, *on, env=cluster.submitter_env)
        followed = run_laketag("jobs", "follow", job, *on, env=cluster.submitter_env)
    assert "submit the same command again" in stopped
    assert followed.code == 130, followed
    assert "what was done is kept" in followed.out
    assert [url for url in list_files(f"{lake}/staging", ceph.storage, suffix="") if "/leases/" in url] == []
    kept = len(staged_parts(ceph, lake))
    assert 0 < kept < MANY // 4

    said = must_submit(cluster, *label(lake), settings=slow_settings)
    assert "going on with run" in said
    ours = table(ceph, lake)
    assert ours["image_id"].to_list() == sorted(many_images())
    assert ours["label"].null_count() == 0
    assert "nothing to do" in must_submit(cluster, *label(lake), settings=slow_settings)
    assert "has ended already" in must_run("jobs", "stop", job, *on, env=cluster.submitter_env)


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
    outcome = run_laketag(*command[:1], "--address", cluster.address, *command[1:], env=env)
    assert outcome.code == 8, outcome
    assert said in one_line(outcome.err)
    assert "RAY_AUTH_TOKEN" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_job_without_credentials_on_the_cluster_says_where_they_belong(ceph, slow_settings) -> None:
    """The submitter has them in its environment; they stay there."""
    public = {name: value for name, value in ceph.env.items() if "KEY" not in name}
    with serve_ray(public, workers=0) as bare:
        arguments = ("submit", "--address", bare.address, "--", *label(ceph.url("lake")))
        outcome = run_laketag(*arguments, env=bare.submitter_env | dict(ceph.env))
    assert outcome.code == 4, outcome
    assert "no usable credentials" in one_line(outcome.out)
    assert "laketag submit never sends any" in one_line(outcome.out)
    assert ceph.env["AWS_SECRET_ACCESS_KEY"] not in outcome.out + outcome.err
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == ceph.env["AWS_SECRET_ACCESS_KEY"]


def test_a_node_that_leaves_and_one_that_joins_change_nothing(
    cluster: RayCluster, ceph, slow_settings, described, undisturbed
) -> None:
    with labelling(cluster, ceph, slow_settings, described, "run.actors=3") as (held, run):
        busiest(cluster, actors=2).kill()  # with its label actors, and the blocks that they were given
        wait_until(lambda: cluster.count_alive() == 2, "the head knows that the node is gone")
        joined = cluster.add_worker()
        wait_until(lambda: label_actors(joined), "a label actor has come to the node that joined")
        wait_until(lambda: exported(cluster, "label_actor_restarts") >= 1, "the restart is exported")
        held.let_go()
        assert run.wait() == 0, run.text
    assert f"labelled {MANY}" in one_line(run.text)
    assert "Traceback" not in run.text
    assert_same(undisturbed, table(ceph, held.lake))


def test_a_run_goes_on_with_fewer_actors_when_a_node_is_gone_for_good(
    cluster: RayCluster, ceph, slow_settings, described, undisturbed
) -> None:
    options = ("run.actors=3", "run.missing_nodes_s=5")
    with labelling(cluster, ceph, slow_settings, described, *options) as (held, run):
        alive = cluster.count_alive()
        busiest(cluster, actors=2).kill()
        wait_until(lambda: cluster.count_alive() < alive, "the head knows that the node is gone")
        wait_until(lambda: "going on with" in run.text, "the run begins again")
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
    cluster: RayCluster, ceph, slow_settings, described, tmp_path
) -> None:
    """As one does that outgrows its memory; what was done before is kept."""
    slower = tmp_path / "slower.toml"  # a call takes seconds
    slower.write_text(slow_settings.read_text().replace("crops = 20", "crops = 1000"))
    with labelling(cluster, ceph, slower, described, "run.actors=1") as (held, run):
        kept = len(staged_parts(ceph, held.lake))
        held.let_go()
        while run.process.poll() is None:
            kill_all([actor for node in living(cluster) for actor in label_actors(node, AT_WORK)])
            time.sleep(0.1)  # each look walks all of /proc
    assert run.wait() == 8, run.text
    assert "what was done is kept" in one_line(run.text)
    assert "Traceback" not in run.text
    assert len(staged_parts(ceph, held.lake)) >= kept >= 3
