"""A lake that machines with clocks ahead of this one's have written: what this one writes is newer all the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_work, plan_run
from laketag.pipeline.lake.description_versions import description_url, latest_embedded_set
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import timestamp
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.runs import read_runs, scan_newest
from laketag.pipeline.lake.snapshots import latest_snapshot, write_snapshot
from laketag.pipeline.lake.staging import write_part
from tests.lake.label_rows import EPOCH, index_rows, label_frame, label_row
from tests.lake.pets import write_pets
from tests.lake.run_rows import RUN, write_run

AHEAD = (datetime.now(UTC) + timedelta(days=2) - EPOCH).days
"""The day, counted as in tests.lake.run_rows, that a clock two days ahead shows."""
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y%m%dT%H%M%S.%fZ")
CLASSIFIER = ChosenClassifier(
    fingerprint=RUN.classifier,
    description_set=RUN.description_set,
    description_version=RUN.description_version,
    method=RUN.method,
    models={},
    decided_by={"decode_revision": 1, "label_revision": 1},
    pickled_spec=b"",
)


def test_a_name_is_that_of_now_or_just_after_another() -> None:
    assert timestamp(after=TOMORROW) > TOMORROW
    assert timestamp(after=f"{TOMORROW}-with-more") > f"{TOMORROW}-with-more"
    for earlier in ("", "20200101T000000.000000Z", "what somebody named"):
        assert timestamp(after=earlier) < TOMORROW


def test_a_snapshot_and_a_version_are_newer_than_those_of_tomorrow(lake) -> None:
    first = write_snapshot(lake, "c", [index_rows("a")])
    folder = Path(lake.index_snapshots("c"))
    (folder / f"snapshot={first.name}").rename(folder / f"snapshot={TOMORROW}")
    assert latest_snapshot(lake, "c").name == TOMORROW
    assert write_snapshot(lake, "c", [index_rows("ab")]) == latest_snapshot(lake, "c")

    old = write_pets(lake, "b" * 16)
    version = Path(description_url(lake, "pets", old.version)).parent
    version.rename(version.with_name(f"version={TOMORROW}-{'b' * 16}"))
    assert write_pets(lake, "a" * 16) == latest_embedded_set(lake, "pets")


def test_a_row_replaces_the_failure_of_a_run_that_finished_tomorrow(lake) -> None:
    """Else the image would be labelled every night, and no query would show it."""
    write_snapshot(lake, RUN.collection, [index_rows("a")])
    write_run(lake, 1, [label_row("a", failure="timeout")], finished=AHEAD)
    request = LabelRequest(collection=RUN.collection, description_set=RUN.description_set)
    run = plan_run(
        lake,
        find_work(lake, request, RUN.classifier, Settings(), OtherRuns(read_runs(lake))),
        CLASSIFIER,
        Settings(),
    )
    write_part(lake, run.run_id, label_frame([label_row("a", run_id=run.run_id)]))
    with hold_lease(lake, "x") as lease:
        publish(lake, run, lease)
    assert read_runs(lake)["run_id"].to_list()[-1] == run.run_id
    assert scan_newest(lake, read_runs(lake)).collect()["label"].null_count() == 0
    assert find_work(lake, request, RUN.classifier, Settings(), OtherRuns(read_runs(lake))).rows.is_empty()


def test_a_run_that_was_planned_by_a_clock_ahead_finishes_after_it_was_planned(lake) -> None:
    planned = replace(RUN, started_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    with hold_lease(lake, "x") as lease:
        publish(lake, planned, lease)
    row = read_runs(lake).row(0, named=True)
    assert row["finished_at"] > row["started_at"]
