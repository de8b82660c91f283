"""Cleaning removes what nobody can need, and nothing else: after it, and wherever it is killed, the lake verifies."""

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.compaction import compact
from laketag.pipeline.lake.find_garbage import find_garbage
from laketag.pipeline.lake.garbage import Garbage, Retention, remove_garbage
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.run_folds import named_files
from laketag.pipeline.lake.runs import read_run_table, read_runs
from laketag.pipeline.lake.staging import run_suffix
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from tests.lake.disturbed import Killed, before_each_change, kill_at
from tests.lake.full_lakes import freeze_night, label_night, stage_night
from tests.lake.run_rows import RUN


def nothing() -> Retention:
    """Nothing is kept that is not needed."""
    return Retention(days=0, runs=0)


def later(days: float, runs: int = 0) -> Retention:
    """The retention of 30 days, asked for after this many."""
    return Retention(30, runs, datetime.now(UTC) + timedelta(days=days))


def clean(lake: Lake, retention: Retention) -> Garbage:
    garbage = find_garbage(lake, retention)
    remove_garbage(lake, garbage)
    assert verify(lake).faults == []
    return garbage


def staged(lake: Lake) -> list[str]:
    return [name for name in list_folders(lake.path("staging"), lake.storage) if name != "leases"]


def merge(lake: Lake) -> None:
    with hold_lease(lake, str(time.monotonic_ns())) as lease:
        compact(lake, read_run_table(lake), lease)


def test_a_lake_that_is_in_order_has_no_garbage(lake: Lake) -> None:
    assert find_garbage(lake, nothing()).is_empty
    label_night(lake, {"a": "1"})
    label_night(lake, {"a": "2", "b": "1"})
    garbage = find_garbage(lake, later(1000, runs=2))
    assert (garbage.files.keys(), garbage.run_ids) == (set(), [])


def test_unfinished_runs_of_other_classifiers_are_removed_once_they_are_old(lake: Lake) -> None:
    old = freeze_night(lake, {"a": "1"}, "beef")
    label_night(lake, {"a": "1"})
    new = freeze_night(lake, {"a": "2"}, "cafe")
    assert staged(lake) == [old.run_id, new.run_id]
    assert find_garbage(lake, later(29)).files == {}
    clean(lake, later(31))
    assert staged(lake) == []


def test_what_a_running_process_has_staged_stays_however_old(lake: Lake) -> None:
    run = freeze_night(lake, {"a": "1"}, "beef")
    with hold_lease(lake, RUN.collection + run_suffix(RUN.collection, "beef")):
        assert "staging of unfinished runs" not in find_garbage(lake, later(31)).files
    clean(lake, nothing())
    assert run.run_id not in staged(lake)


def test_plans_that_were_never_frozen_and_staging_of_finished_runs_are_removed(lake: Lake) -> None:
    run = freeze_night(lake, {"a": "1"}, "beef")
    Path(lake.staging(run.run_id), "run.json").unlink()
    label_night(lake, {"a": "1"})
    finished = Path(lake.staging(read_runs(lake)["run_id"][0]), "plan", "part-00000.parquet")
    finished.parent.mkdir(parents=True)
    finished.write_bytes(b"left by a publication that was killed")
    clean(lake, later(2))
    assert staged(lake) == []


def test_label_files_that_were_replaced_stay_for_a_day(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    label_night(lake, {"b": "1"})
    replaced = named_files(read_runs(lake))
    merge(lake)
    assert "label files that were replaced" not in find_garbage(lake, later(0.9)).files
    garbage = clean(lake, later(1.1))
    removed = [
        file for kind in ("label", "score") for file in garbage.files[f"{kind} files that were replaced"]
    ]
    assert {file.url for file in removed} == {f"{lake.root}/{file}" for file in replaced}
    assert len(list_files(lake.path("labels"), lake.storage)) == 1
    assert read_run_table(lake).replaced == {}


def test_runs_of_earlier_classifiers_go_with_all_that_only_they_name_and_the_newest_stay(lake: Lake) -> None:
    label_night(lake, {"a": "1"}, "beef")
    label_night(lake, {"a": "2"}, "beef")
    label_night(lake, {"a": "3"})
    label_night(lake, {"a": "4"})
    merge(lake)
    labels = queries.labels(lake.root).collect()
    assert find_garbage(lake, later(31, runs=3)).run_ids == []  # a classifier stays or goes as a whole
    assert find_garbage(lake, later(29)).run_ids == []
    garbage = clean(lake, later(31))
    assert len(garbage.run_ids) == 2
    assert set(read_runs(lake)["classifier"]) == {RUN.classifier}
    assert_frame_equal(queries.labels(lake.root).collect(), labels)
    for table in ("index", "descriptions", "labels"):
        assert (
            len(list_files(lake.path(table), lake.storage))
            == {"index": 1, "descriptions": 2, "labels": 1}[table]
        )


def test_snapshots_that_no_run_names_go_but_the_newest_and_what_a_writer_adds_to(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    for version in "234":
        run = freeze_night(lake, {"a": version})
        Path(lake.staging(run.run_id), "run.json").unlink()
    part = next(Path(lake.root, "index").rglob("*.parquet"))
    incomplete = part.parent.with_name("snapshot=20260101T000000.000000Z") / "part-00000.parquet"
    incomplete.parent.mkdir()
    incomplete.write_bytes(part.read_bytes())
    assert "incomplete snapshots" not in find_garbage(lake, nothing()).files
    os.utime(incomplete, (0, 0))
    garbage = clean(lake, later(31, runs=1))
    assert (len(garbage.files["incomplete snapshots"]), len(garbage.files["old index snapshots"])) == (1, 2)
    assert len(list_folders(lake.index_snapshots(RUN.collection), lake.storage)) == 2


def test_the_snapshots_of_many_nights_are_bounded_by_the_retention_and_the_labels_stay(lake: Lake) -> None:
    for night in range(8):
        label_night(lake, {"a": str(night), "b": "1"})
    labels = queries.labels(lake.root).collect()
    runs = read_runs(lake)
    assert "old index snapshots" not in find_garbage(lake, later(29)).files
    clean(lake, later(31, runs=2))
    kept = [f"snapshot={name}" for name in runs["snapshot"][-2:]]
    assert list_folders(lake.index_snapshots(RUN.collection), lake.storage) == kept
    found = verify(lake)
    assert (found.snapshots, found.without_snapshot, found.rows) == (2, 6, 9)
    assert_frame_equal(read_runs(lake).drop("snapshot_removed"), runs.drop("snapshot_removed"))
    assert_frame_equal(queries.labels(lake.root).collect(), labels)
    label_night(lake, {"a": "8", "b": "1"})
    remove_folder(f"{lake.index_snapshots(RUN.collection)}/{kept[0]}", lake.storage)
    (fault,) = verify(lake).faults  # clean did not remove this one
    assert "is missing or incomplete" in fault.what


def test_orphans_temporary_files_and_leases_of_dead_processes_are_removed(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    published = Path(lake.root, read_runs(lake)["files"][0][0])
    orphan = published.parent.with_name("run=20260101T000000.000000Z-dead") / "part.parquet"
    orphan.parent.mkdir()
    orphan.write_bytes(published.read_bytes())
    temporary = published.with_name(".1234.tmp")
    temporary.write_bytes(b"")
    with hold_lease(lake, "held") as lease:
        dead = Path(lease.url).with_name("dead.json")
        dead.write_text(
            Path(lease.url).read_text(encoding="utf-8").replace(f'"pid": {os.getpid()}', '"pid": 4194303'),
            encoding="utf-8",
        )
        garbage = clean(lake, later(2))
        assert Path(lease.url).exists()
    assert garbage.files.keys() == {
        "label files that no run names",
        "unfinished temporary files",
        "leases of dead processes",
    }
    assert [path.exists() for path in (orphan, temporary, dead, published)] == [False, False, False, True]


def test_label_files_without_any_run_are_a_lost_table_and_stay(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    shutil.rmtree(lake.path("runs"))
    with pytest.raises(InputError, match=r"has 1 label files .* not one run .* restore it"):
        find_garbage(lake, later(2))


def test_what_is_not_the_newest_any_more_is_kept_for_days_from_then_on(lake: Lake) -> None:
    old = freeze_night(lake, {"a": "1"})
    freeze_night(lake, {"a": "2"}, "beef")
    for plan in Path(lake.path("staging")).rglob("run.json"):
        plan.unlink()
    for table in ("index", "descriptions"):
        oldest = min(Path(lake.root, table).rglob("*.parquet"))
        os.utime(oldest, (0, 0))
    kinds = {"old index snapshots", "old descriptions"}
    assert not kinds & find_garbage(lake, later(29)).files.keys()
    found = find_garbage(lake, later(31)).files
    assert kinds <= found.keys()
    assert old.snapshot in found["old index snapshots"][0].url


def fill(lake: Lake) -> None:
    """All kinds of garbage."""
    label_night(lake, {"a": "1"}, "beef")
    label_night(lake, {"a": "2"})
    label_night(lake, {"a": "3"})
    merge(lake)
    run = freeze_night(lake, {"a": "4"}, "cafe")
    stage_night(lake, run)


@pytest.mark.chaos
def test_wherever_it_is_killed_the_lake_verifies_and_the_next_one_completes_it(lake: Lake) -> None:
    fill(lake)
    labels = queries.labels(lake.root).collect()
    for number in range(100):
        try:
            with before_each_change(kill_at(number)):
                remove_garbage(lake, find_garbage(lake, nothing()))
        except Killed:
            assert verify(lake).faults == [], number
            assert_frame_equal(queries.labels(lake.root).collect(), labels)
        else:
            break
    assert number > 5
    assert find_garbage(lake, nothing()).is_empty
