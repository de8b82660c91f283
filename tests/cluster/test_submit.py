"""Any command through the Jobs API: same labels, own log and exit code, stop and go on, nodes that leave and join."""

import os
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from laketag.demo.lake import FAULTS
from laketag.pipeline.progress.metrics import METRICS
from laketag.pipeline.store.folders import list_files
from tests.cluster.commands import follow, must_submit, submit
from tests.cluster.exported import read_exported
from tests.cluster.ray_cluster import RayCluster, serve_ray
from tests.end_to_end.command_line import (
    must_spawn,
    one_line,
    overrides,
    spawn_laketag,
    start_laketag,
    wait_until,
)
from tests.end_to_end.held import BEGUN, FREE, hold_back
from tests.end_to_end.lakes import (
    DEMO_DESCRIPTIONS,
    DEMO_SETTINGS,
    SOUND,
    assert_same,
    label,
    many_images,
    put_all,
    put_names,
    staged_parts,
    table,
)
from tests.stores.fault_proxy import Fault, serve_faults
from tests.stores.store import Store

pytestmark = [pytest.mark.cluster, pytest.mark.ceph, pytest.mark.timeout(900)]


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
        run = follow(cluster, *label(lake, "watched"), "-v", *options, settings=DEMO_SETTINGS)
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


def test_a_stopped_job_releases_its_lease_the_same_submission_goes_on_and_the_night_after_has_nothing_to_do(
    cluster: RayCluster, ceph, small_blocks, described, tmp_path: Path
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
        followed = start_laketag("jobs", "follow", job, *on, env=cluster.submitter_env)
        followed.until(held.has_begun, BEGUN)
        stopped = must_spawn("jobs", "stop", job, *on, env=cluster.submitter_env)
        assert followed.wait() == 130, followed.text
    assert "submit its command again" in stopped
    assert "is kept, with" in followed.text
    assert [url for url in list_files(f"{lake}/staging", ceph.storage, suffix="") if "/leases/" in url] == []
    kept = len(staged_parts(ceph, lake))
    assert 0 < kept <= FREE // 4

    said = must_submit(cluster, *label(lake), settings=small_blocks)
    assert "going on with run" in said
    ours = table(ceph, lake)
    assert ours["image_id"].to_list() == sorted(many_images())
    assert ours["label"].null_count() == 0
    night = tmp_path / "night.toml"
    collection = (
        f'source = "{ceph.url("images/index.parquet")}"\ncollection = "c"\nset = "s"\nid_column = "id"'
    )
    night.write_text(f'root = "{lake}"\n[[collection]]\n{collection}\n')
    said = must_submit(cluster, "nightly", str(night), settings=small_blocks)
    assert "nothing to do" in said
    assert table(ceph, lake).equals(ours)
    assert "has already ended" in must_spawn("jobs", "stop", job, *on, env=cluster.submitter_env)


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
    ],
    ids=["wrong", "none"],
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
