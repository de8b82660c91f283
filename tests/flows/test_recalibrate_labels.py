"""Deciding anew about labels from kept scores: other rows of the same labels, and a lake that adds up before and after."""

import io
from dataclasses import replace

import polars as pl
import pytest
from rich.console import Console

from laketag.pipeline.calibration.calibration import CalibratedClass, Calibration
from laketag.pipeline.calibration.shares import ShareRule
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import BusyError, InputError
from laketag.pipeline.flows.clean_lake import clean_lake
from laketag.pipeline.flows.compact_lake import compact_lake
from laketag.pipeline.flows.forget_images import ForgetRequest, forget_images
from laketag.pipeline.flows.plan_run import LabelRequest, find_resumable
from laketag.pipeline.flows.recalibrate_labels import RecalibrateReport, recalibrate_labels
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.calibrations import write_calibration
from laketag.pipeline.lake.garbage import Retention
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.runs import label_files, read_runs, scan_newest
from laketag.pipeline.lake.snapshots import latest_snapshot
from laketag.pipeline.lake.staging import (
    Run,
    find_unfinished,
    freeze_plan,
    read_frozen,
    run_suffix,
    scan_plan,
    write_part,
)
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.folders import list_folders, remove_folder
from laketag.schemas import Plan
from tests.lake.full_lakes import freeze_night
from tests.lake.label_rows import label_frame, label_row, score_frame
from tests.lake.run_rows import RUN

SCREEN = Screen(Console(file=io.StringIO()))
STRICT, LOOSE = 1.0, -1.0
"""Thresholds of the class cat: image a has the standard score 0, b 1, c 2 and so on (tests.lake.label_rows.score_frame)."""


def calibrate(lake: Lake, threshold: float) -> str:
    classes = (CalibratedClass("dog", 1.0, 0.5, 2.0), CalibratedClass("cat", 97.25, 1.0, threshold))
    made = Calibration(
        RUN.collection, RUN.classifier, classes, ShareRule("cosine", 0.01, 1), 2.0, None, None, False
    )
    write_calibration(lake, made, {})
    return made.content_hash


def label(
    lake: Lake, images: dict[str, str], failed: str = "", kept: bool = True, made_from: str | None = None
) -> Run:
    """The pending images of an index of these are labelled, but for those with the letters."""
    run = replace(freeze_night(lake, images), keep="scores" if kept else "", made_from=made_from)
    freeze_plan(lake, run, scan_plan(lake, run.run_id).select(Plan.column_names()).collect())
    frame = staged(lake, run, failed)
    write_part(lake, run.run_id, frame, {"scores": score_frame(frame)} if kept else None)
    with hold_lease(lake, "x") as lease:
        publish(lake, run, lease)
    return run


def staged(lake: Lake, run: Run, failed: str = "") -> pl.DataFrame:
    tags = [{"label": "cat", "probability": 0.75}, {"label": "dog", "probability": 0.25}]
    planned = scan_plan(lake, run.run_id).select("image_id", "etag").collect().iter_rows()
    rows = [
        label_row(image, etag=etag, failure="timeout", run_id=run.run_id)
        if image in failed
        else label_row(image, etag=etag, run_id=run.run_id) | {"tags": tags}
        for image, etag in planned
    ]
    return label_frame(rows)


def recalibrate(lake: Lake) -> RecalibrateReport:
    return recalibrate_labels(lake, (RUN.collection, RUN.description_set), Settings(), SCREEN)


def newest(lake: Lake) -> pl.DataFrame:
    return scan_newest(lake, read_runs(lake)).sort("image_id").collect()


def accepted(lake: Lake) -> dict[str, list[tuple[str, float]] | None]:
    """By image, of labelled ones."""
    return {
        row["image_id"]: row["accepted"] and [tuple(one.values()) for one in row["accepted"]]
        for row in newest(lake).filter(pl.col("label").is_not_null()).iter_rows(named=True)
    }


def test_labels_are_decided_anew_from_kept_scores_and_every_command_agrees_about_them(lake: Lake) -> None:
    label(lake, {"a": "1", "b": "1", "c": "1", "d": "1"}, failed="d")
    label(lake, {"a": "1", "b": "2", "c": "1", "d": "1", "e": "1"}, failed="d")
    before = newest(lake)
    strict = calibrate(lake, STRICT)
    report = recalibrate(lake)
    assert (report.calibration, report.labels, report.abstained) == (strict, 4, 2)
    assert accepted(lake) == {"a": [], "b": [], "c": [("cat", 2.0)], "e": [("cat", 4.0)]}
    after = newest(lake)
    decided = ["accepted", "abstained", "tag_scores", "calibrated_probability", "conformal_set"]
    others = [name for name in before.columns if name not in (*decided, "run_id", "labelled_at")]
    assert after.select(others).equals(before.select(others)), "labels are as before, and so are failures"
    of_a = after.row(by_predicate=pl.col("image_id") == "a", named=True)
    assert (of_a["tag_scores"], of_a["abstained"]) == ([0.0, 0.0], True)
    # the probabilities of cosines 97.25 and 1 at exponent 0.01, with the factor 2 on it
    assert of_a["calibrated_probability"] == pytest.approx(1 / (1 + 2.718281828 ** (-0.02 * 96.25)), abs=1e-5)
    row = read_runs(lake).row(-1, named=True)
    assert (row["run_id"], row["calibration"], row["recalibrated"]) == (report.run_id, strict, True)
    assert (row["planned"], row["labelled"], row["already_done"], row["left"]) == (4, 4, 1, 0)
    assert verify(lake).faults == []
    assert find_pending(lake, latest_snapshot(lake, RUN.collection), read_runs(lake)).rows[
        "image_id"
    ].to_list() == ["d"]
    shown = queries.labels(lake.root).select("image_id", "label").sort("image_id").collect()
    assert dict(shown.iter_rows()) == {"a": "none of these", "b": "none of these", "c": "cat", "e": "cat"}

    assert recalibrate(lake).run_id is None, "all is decided"
    calibrate(lake, LOOSE)
    assert recalibrate(lake).abstained == 0, "the scores are still those of the first runs"
    label(lake, {"a": "1", "b": "2", "c": "1", "d": "1", "e": "1", "f": "1"})
    assert verify(lake).faults == []
    assert accepted(lake)["f"] is None
    assert recalibrate(lake).labels == 2, "d and f; the others are decided"
    assert accepted(lake)["f"] == [("cat", 5.0)]
    compact_lake(lake, SCREEN)
    assert verify(lake).faults == []
    calibrate(lake, STRICT)
    assert recalibrate(lake).labels == 6
    clean_lake(lake, Retention(0, 1), SCREEN)
    forget_images(lake, ForgetRequest(prefix="/images/c"), SCREEN.say)
    assert verify(lake).faults == []
    assert "c" not in set(newest(lake)["image_id"])
    assert all("c" not in set(rows(lake)) for rows in (label_ids, score_ids))


def label_ids(lake: Lake) -> pl.Series:
    return pl.concat(
        pl.read_parquet(url, columns=["image_id"]) for url in label_files(lake, read_runs(lake))
    )["image_id"]


def score_ids(lake: Lake) -> pl.Series:
    return pl.read_parquet(f"{lake.root}/scores/**/*.parquet", columns=["image_id"])["image_id"]


def test_without_the_scores_of_each_label_nothing_is_changed(lake: Lake) -> None:
    with pytest.raises(InputError, match="no run has labelled collection 'photos' with set 'animals'"):
        recalibrate(lake)
    label(lake, {"a": "1"})
    with pytest.raises(InputError, match="has no calibration; fit one with laketag calibrate"):
        recalibrate(lake)
    calibrate(lake, STRICT)
    label(lake, {"a": "1", "b": "1"}, kept=False)
    with pytest.raises(InputError, match="1 of 2 labels have no kept scores"):
        recalibrate(lake)
    assert read_runs(lake).height == 2
    assert set(list_folders(lake.path("staging"), lake.storage)) <= {"leases"}, "nothing is left of it"


def test_labels_from_rounded_embeddings_are_refused_without_advice_that_leads_nowhere(lake: Lake) -> None:
    label(lake, {"a": "1"}, made_from="embeddings=fp16")
    with pytest.raises(InputError, match="labelled last from embeddings in fp16, by a classifier of its own"):
        recalibrate(lake)


def freeze_killed(lake: Lake, content_hash: str, run: Run) -> Run:
    """A call that decides the labels of the run was killed after it had frozen its plan."""
    killed = replace(
        run,
        run_id="29990101T000000.000000Z" + run_suffix(RUN.collection, RUN.classifier),
        keep="",
        calibration=content_hash,
        recalibrated=True,
    )
    rows = newest(lake).with_columns(run_id=pl.lit(killed.run_id), accepted=[], abstained=True, tag_scores=[])
    freeze_plan(lake, killed, rows.select("image_id", "uri", "etag", size_bytes=10, earlier_attempts=None))
    write_part(lake, killed.run_id, rows)
    return killed


def test_a_call_that_was_killed_while_it_published_is_finished_and_reported_by_the_next(lake: Lake) -> None:
    run = label(lake, {"a": "1", "b": "1"})
    content_hash = calibrate(lake, STRICT)
    killed = freeze_killed(lake, content_hash, run)
    assert recalibrate(lake) == RecalibrateReport(content_hash, killed.run_id, labels=2, abstained=2)
    assert read_runs(lake)["run_id"].to_list() == [run.run_id, killed.run_id]
    assert verify(lake).faults == []
    assert recalibrate(lake) == RecalibrateReport(content_hash, None, 0, 0)


def test_only_what_the_newest_calibration_has_decided_is_reported(lake: Lake) -> None:
    killed = freeze_killed(lake, calibrate(lake, STRICT), label(lake, {"a": "1", "b": "1"}))
    content_hash = calibrate(lake, LOOSE)
    report = recalibrate(lake)
    assert (report.calibration, report.labels, report.abstained) == (content_hash, 2, 0)
    assert read_runs(lake)["run_id"].to_list()[1:] == [killed.run_id, report.run_id]


def test_a_plan_whose_parts_another_process_has_removed_is_a_leftover(lake: Lake) -> None:
    run = label(lake, {"a": "1", "b": "1"})
    killed = freeze_killed(lake, calibrate(lake, STRICT), run)
    remove_folder(f"{lake.staging(killed.run_id)}/parts", lake.storage)
    assert find_unfinished(lake, RUN.collection, RUN.classifier, []) == [], (
        "label does not finish it from pixels"
    )
    report = recalibrate(lake)
    assert (report.labels, report.run_id != killed.run_id) == (2, True)
    assert read_frozen(lake, killed.run_id) is None
    assert verify(lake).faults == []


@pytest.mark.parametrize("from_embeddings", [False, True])
def test_each_call_of_label_publishes_a_killed_call_first(lake: Lake, from_embeddings: bool) -> None:
    killed = freeze_killed(lake, calibrate(lake, STRICT), label(lake, {"a": "1", "b": "1"}))
    request = LabelRequest(
        collection=RUN.collection, description_set=RUN.description_set, from_embeddings=from_embeddings
    )
    ((found, unlabelled),) = find_resumable(lake, request, RUN.classifier, read_runs(lake)["run_id"], SCREEN)
    assert (found, unlabelled.height) == (killed, 0)


def test_an_unfinished_run_of_label_is_finished_first(lake: Lake) -> None:
    label(lake, {"a": "1"})
    calibrate(lake, STRICT)
    run = freeze_night(lake, {"a": "2"})
    with pytest.raises(BusyError, match="is unfinished; finish it with laketag label"):
        recalibrate(lake)
    assert read_frozen(lake, run.run_id) is not None
