"""Rows of forgotten images leave all tables, whenever the process is killed."""

import hashlib
import shutil
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.flows.forget_images import ForgetRequest, forget_images
from laketag.pipeline.lake.compaction import compact
from laketag.pipeline.lake.id_ranges import split_staged
from laketag.pipeline.lake.kept_scores import read_scores
from laketag.pipeline.lake.label_files import files_of, kept_files_of
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.ledger import balance
from laketag.pipeline.lake.paths import RUN_TABLES, Lake, open_lake
from laketag.pipeline.lake.runs import label_files, read_run_table, read_runs, scan_labels
from laketag.pipeline.lake.snapshots import FORGOTTEN_ROWS, find_snapshot, scan_snapshot, write_snapshot
from laketag.pipeline.lake.staging import find_unfinished, run_suffix, write_part
from laketag.pipeline.lake.tables import read_footer
from laketag.pipeline.store.files import remove_file
from laketag.pipeline.store.folders import list_files, remove_folder
from tests.lake.decision_rows import decide
from tests.lake.disturbed import before_each_change
from tests.lake.label_rows import index_rows, label_frame, label_row, score_frame
from tests.lake.named_images import named_images
from tests.lake.run_rows import RUN, freeze_run, write_run

UNFINISHED = "20260109T000000.000000Z" + run_suffix(RUN.collection, RUN.classifier)
FORGET = ForgetRequest(names={f"/images/{image_id}.png": image_id for image_id in "bdf"})


def fill(lake: Lake) -> None:
    """Two snapshots; two runs that share a merged file, beside the files that it replaced; one with a file of a forgotten image
    alone; a killed publication, a staged run, and a plan that was never frozen."""
    write_snapshot(lake, "photos", [index_rows("abcdefg")])
    write_snapshot(lake, "photos", [index_rows("abcdef")])
    decide(lake, "a", "dog")
    decide(lake, "b", "dog")
    write_run(
        lake, 1, [label_row("a"), label_row("b"), label_row("c", failure="empty")], files=3, keep="scores"
    )
    rows = [label_row("b", label="dog"), label_row("c"), label_row("d", failure="timeout"), label_row("e")]
    write_run(lake, 2, rows, files=2, keep="scores")
    with hold_lease(lake, "upkeep") as lease:
        assert compact(lake, read_run_table(lake), lease) == 10  # as many of scores
    write_run(lake, 3, [label_row("d"), label_row("e")], files=2)
    write_run(lake, 4, [label_row("a"), label_row("f")], committed=False, keep="scores")
    freeze_run(lake, list("efg"), UNFINISHED)
    frame = label_frame([label_row("f", run_id=UNFINISHED), label_row("e", run_id=UNFINISHED)])
    write_part(lake, UNFINISHED, frame, {"scores": score_frame(frame)})
    write_part(lake, UNFINISHED, label_frame([label_row("f", failure="timeout", run_id=UNFINISHED)]))
    write_part(lake, UNFINISHED, label_frame([label_row("g", run_id=UNFINISHED)]))
    never_frozen = freeze_run(lake, "b", UNFINISHED.replace("09T", "08T"))
    remove_file(f"{lake.staging(never_frozen.run_id)}/run.json", lake.storage)


def check_readable(lake: Lake) -> None:
    """Every run names files that are there, with the rows and the content that it states."""
    runs = read_runs(lake)
    assert set(label_files(lake, runs)) <= set(list_files(lake.path("labels"), lake.storage))
    assert not set(label_files(lake, runs)) & {
        f"{lake.root}/{file}" for file in read_run_table(lake).replaced
    }
    counted = (
        scan_labels(lake, runs)
        .group_by("run_id")
        .agg(labelled=pl.col("label").is_not_null().sum(), failed=pl.col("failure").is_not_null().sum())
    )
    rows = {run: (labelled, failed) for run, labelled, failed in counted.collect().rows()}
    for row in runs.iter_rows(named=True):
        for file in (*files_of(row), *kept_files_of(row)):
            data = (Path(lake.root) / file.path).read_bytes()
            assert file.sha256 in (None, hashlib.sha256(data).hexdigest())
            assert file.rows in (None, pl.read_parquet(data).height)
        failed = sum(entry["images"] for entry in row["failures"])
        assert rows.get(row["run_id"], (0, 0)) == (row["labelled"], failed)
    beside = [found.rows for found in read_scores(lake, runs)]
    labelled = scan_labels(lake, runs.filter(pl.col("keep").is_not_null())).drop_nulls("label")
    assert sorted(pl.concat(beside).select("run_id", "image_id").rows()) == sorted(
        labelled.select("run_id", "image_id").collect().rows()
    )


def check_forgotten(lake: Lake) -> None:
    """Nothing names the images any more, everything else is there, and what is counted balances."""
    check_readable(lake)
    assert named_images(lake) == {
        "index": set("aceg"),
        "labels": set("ace"),
        "scores": set("ace"),
        "decisions": {"a"},
        "staging": set("eg"),
    }
    table = read_run_table(lake)
    there = [url for name in RUN_TABLES for url in list_files(lake.path(name), lake.storage)]
    assert table.replaced.keys() <= {url.removeprefix(f"{lake.root}/") for url in there}
    runs = table.rows
    assert runs.select("planned", "labelled", "forgotten").rows() == [(3, 1, 1), (4, 2, 2), (2, 1, 1)]
    assert runs["failures"].to_list() == [[{"reason": "empty", "images": 1}], [], []]
    snapshot = find_snapshot(lake, "photos")
    lost = sum(int(read_footer(url, lake.storage).get(FORGOTTEN_ROWS, 0)) for url in snapshot.files)
    assert scan_snapshot(lake, snapshot).collect().height + lost == 6
    (run,) = find_unfinished(lake, RUN.collection, RUN.classifier, runs["run_id"])
    with split_staged(lake, run.run_id, run.planned) as split:
        assert balance(lake, run, split.ranges).labelled == 2
    assert not [
        url
        for url in list_files(lake.path("staging"), lake.storage, ".json")
        if "paused" in url or "lease" in url
    ]


@pytest.mark.chaos
def test_a_forget_that_is_killed_anywhere_leaves_readable_tables_and_is_completed_by_the_next(
    tmp_path,
) -> None:
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    fill(lake)
    killed: list[Lake] = []

    def keep_as_killed_here() -> None:
        killed.append(open_lake(str(tmp_path / str(len(killed))), StorageSettings()))
        shutil.copytree(lake.root, killed[-1].root)

    with before_each_change(keep_as_killed_here):
        forget_images(lake, FORGET, print)
    check_forgotten(lake)
    assert len(killed) > 20
    for left in killed:
        check_readable(left)
        remove_folder(left.path("staging", "leases"), left.storage)  # as if the process had ended long ago
        forget_images(left, FORGET, print)
        check_forgotten(left)
