"""What a run keeps beside its labels is there once for each label, whatever was staged, and is found again with its classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from laketag.pipeline.errors import InputError, LedgerError
from laketag.pipeline.lake.kept_scores import read_scores
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import Run, freeze_plan, write_part
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.store.folders import list_files
from tests.lake.full_lakes import label_night
from tests.lake.label_rows import label_frame, label_row, plan_rows, score_frame
from tests.lake.pets import write_pets
from tests.lake.run_rows import RUN


def freeze(lake: Lake, ids: str) -> Run:
    version = write_pets(lake, RUN.classifier, RUN.description_set).version
    run = replace(RUN, description_version=version, index_rows=len(ids), planned=len(ids), keep="scores")
    freeze_plan(lake, run, plan_rows(ids))
    return run


def finish(lake: Lake, run: Run) -> None:
    with hold_lease(lake, "x") as lease:
        publish(lake, run, lease)


def test_of_images_that_were_staged_twice_or_failed_first_each_label_has_its_newest_scores_once(
    lake: Lake,
) -> None:
    run = freeze(lake, "abc")
    first = label_frame(
        [
            label_row("a", age_s=9, run_id=RUN.run_id),
            label_row("b", failure="timeout", run_id=RUN.run_id),
            label_row("c", age_s=9, run_id=RUN.run_id),
        ]
    )
    write_part(lake, run.run_id, first, {"scores": score_frame(first)})
    again = label_frame([label_row("a", run_id=RUN.run_id), label_row("b", run_id=RUN.run_id)])
    newer = score_frame(again).with_columns(
        scores=pl.Series([[1.5, 2.5], [3.5, 4.5]], dtype=pl.List(pl.Float16))
    )
    write_part(lake, run.run_id, again, {"scores": newer})
    finish(lake, run)
    (found,) = read_scores(lake, read_runs(lake))
    assert found.class_names == ("dog", "cat")  # of tests.lake.pets
    assert found.scores.dtype == np.float16
    by_image = dict(zip(found.rows["image_id"], found.scores.tolist(), strict=True))
    assert by_image == {"a": [1.5, 2.5], "b": [3.5, 4.5], "c": [1.0, 0.25 + ord("c")]}


def test_a_run_that_lacks_the_scores_of_a_label_publishes_nothing(lake: Lake) -> None:
    run = freeze(lake, "ab")
    rows = label_frame([label_row("a", run_id=RUN.run_id), label_row("b", run_id=RUN.run_id)])
    write_part(lake, run.run_id, rows, {"scores": score_frame(rows.head(1))})
    with pytest.raises(LedgerError, match="1 of 2 labels have no row of scores"):
        finish(lake, run)
    assert read_runs(lake).is_empty()


def test_verify_names_scores_that_are_missing_changed_or_doubled(lake: Lake) -> None:
    label_night(lake, {"a": "1", "b": "1"}, failed="b")
    label_night(lake, {"a": "2", "b": "1"})
    assert (verify(lake).faults, verify(lake).kept_files) == ([], 2)
    one, other = list_files(lake.path("scores"), lake.storage)
    whole = Path(one).read_bytes()
    Path(one).unlink()
    (fault,) = verify(lake).faults
    assert "is missing, but runs name it" in fault.what
    Path(one).write_bytes(Path(other).read_bytes())
    assert any("was changed after it was published" in fault.what for fault in verify(lake).faults)
    Path(one).write_bytes(whole)
    assert verify(lake).faults == []
    stranger = Path(one).with_name("part-99999.parquet")
    stranger.write_bytes(whole)
    assert ["is named by no run" in fault.what for fault in verify(lake).faults] == [True]


def test_a_row_with_scores_of_other_classes_is_refused(lake: Lake) -> None:
    run = freeze(lake, "a")
    rows = label_frame([label_row("a", run_id=RUN.run_id)])
    wrong = score_frame(rows).with_columns(scores=pl.Series([[1.0]], dtype=pl.List(pl.Float16)))
    write_part(lake, run.run_id, rows, {"scores": wrong})
    finish(lake, run)
    with pytest.raises(InputError, match="without a score for each of its 2 classes"):
        list(read_scores(lake, read_runs(lake)))
