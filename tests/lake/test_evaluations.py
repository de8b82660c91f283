"""Results of evaluations are added, replaced and forgotten, and nothing else sees them."""

from pathlib import Path

import polars as pl

from laketag.pipeline.flows.forget_images import ForgetRequest, forget_images
from laketag.pipeline.lake.evaluations import Evaluation, read_summaries
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.store.folders import list_files
from laketag.schemas import EvaluationSummary
from tests.evaluation.results import random_results
from tests.lake.label_rows import index_rows


def evaluation(lake: Lake) -> Evaluation:
    return Evaluation(lake, "photos-abc", "photos")


def files(lake: Lake) -> list[str]:
    return list_files(f"{evaluation(lake).url}/results", lake.storage)


def test_parts_add_up_and_the_same_rows_written_again_replace_their_part(lake: Lake) -> None:
    rows = random_results(8)
    for part in (rows.head(20), rows.tail(rows.height - 20), rows.head(20)):
        evaluation(lake).write_results(part)
    assert len(files(lake)) == 2
    keys = ["image_id", "method", "seed"]
    assert evaluation(lake).read_results().sort(keys).equals(rows.sort(keys))


def test_a_result_wins_over_a_failure_and_what_failed_for_a_passing_reason_is_open(lake: Lake) -> None:
    rows = random_results(4, failed=0)
    failed = random_results(4, failed=4)
    passing = failed.with_columns(failure=pl.lit("timeout").cast(failed.schema["failure"]))
    evaluation(lake).write_results(failed.filter(pl.col("image_id") == "000"))
    evaluation(lake).write_results(passing.filter(pl.col("image_id") > "000"))
    found = evaluation(lake).read_results()
    assert set(found["image_id"]) == {"000"}, "the others are evaluated again"
    evaluation(lake).write_results(rows.filter(pl.col("image_id") < "002"))
    found = evaluation(lake).read_results()
    assert found["failure"].null_count() == found.height == 14


def test_verify_knows_the_files_of_an_evaluation_and_names_others_and_broken_ones(lake: Lake) -> None:
    one = evaluation(lake)
    one.write_results(random_results(2))
    summary = EvaluationSummary.create_empty()
    row = {"method": "clip", "title": "CLIP", "source": "", "seeds": 1, "images": 2, "failed": 0}
    filled = pl.concat([summary, pl.DataFrame([row])], how="diagonal_relaxed")
    one.write_report(filled, {"collection": "photos"}, {"table.md": b"# text"})
    assert verify(lake).faults == []
    assert read_summaries(lake).select("evaluation", "method").rows() == [("photos-abc", "clip")]
    Path(f"{one.url}/notes.txt").write_text("mine")
    assert [fault.where for fault in verify(lake).faults] == ["evaluations/photos-abc/notes.txt"]
    Path(f"{one.url}/summary.parquet").write_bytes(b"broken")
    assert [fault.where for fault in verify(lake).faults] == [
        "evaluations/photos-abc/notes.txt",
        "evaluations",
    ]


def test_forget_removes_the_rows_of_an_image_and_files_that_had_no_others(lake: Lake) -> None:
    write_snapshot(lake, "photos", [index_rows("abc")])
    rows = random_results(3, failed=0)
    rows = rows.with_columns(
        image_id=pl.col("image_id").replace_strict({"000": "a", "001": "b", "002": "c"}),
        uri=pl.col("uri").replace_strict({f"/{n}": f"/images/{name}.png" for n, name in enumerate("abc")}),
    )
    evaluation(lake).write_results(rows.filter(pl.col("image_id") == "b"))
    evaluation(lake).write_results(rows.filter(pl.col("image_id") != "b"))
    report = forget_images(lake, ForgetRequest(names={f"/images/{name}.png": name for name in "ab"}), print)
    assert report.removed["evaluations"] == 2 * 7
    assert set(evaluation(lake).read_results()["image_id"]) == {"c"}
    assert len(files(lake)) == 1
