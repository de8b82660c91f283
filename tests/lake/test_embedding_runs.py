"""Which runs' embeddings are needed, and so outlast ``laketag clean``: those a set kept last, and those labels are made from."""

import json
from dataclasses import replace

import polars as pl

from laketag.pipeline.lake.embedding_runs import find_needed
from laketag.pipeline.lake.find_garbage import find_garbage
from laketag.pipeline.lake.garbage import Retention
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.staging import freeze_plan, run_suffix
from tests.lake.label_rows import label_row, plan_rows
from tests.lake.run_rows import RUN, write_run

COLUMNS = ("collection", "description_set", "encoder", "made_from", "run_id")
FROM_EMBEDDINGS = {"made_from": "embeddings=fp16"}


def encoder(whole: int, crops: int | None = None) -> str:
    return json.dumps({"whole": whole, "crops": crops})


def needed(*rows: tuple[str, str, str | None, str | None], maker: tuple[str, str] | None = None) -> list[int]:
    """The places of those of the rows that are needed; the last run of all was made from pixels."""
    schema = dict.fromkeys(COLUMNS[:-1], pl.String()) | {"run_id": pl.Int64()}
    runs = pl.DataFrame([(*row, number) for number, row in enumerate(rows)], schema=schema, orient="row")
    makers = [{"collection": maker[0], "encoder": maker[1]} | FROM_EMBEDDINGS] if maker else []
    return find_needed(runs, [*makers, {"collection": "c", "encoder": encoder(0)}])["run_id"].to_list()


def test_those_of_the_encoder_that_a_set_kept_last_are_needed_whichever_set_kept_them() -> None:
    names = (("pets", 0), ("fish", 1), ("pets", 1), ("birds", 2))
    kept = [("c", of_set, encoder(number, 1), None) for of_set, number in names]
    without = [("c", "pets", None, None), ("c", "pets", encoder(3), "embeddings=fp32")]
    assert needed(*kept, *without) == [1, 2, 3]
    assert needed() == []


def test_those_that_serve_a_run_made_from_embeddings_are_needed_in_its_collection() -> None:
    kept = [(c, "s", encoder(*one), None) for c in "cd" for one in [(0, 1), (0, 2), (1, 2), (3, 3)]]
    assert needed(*kept) == [3, 7]
    assert needed(*kept, maker=("c", encoder(0, 2))) == [1, 3, 7]
    assert needed(*kept, maker=("d", encoder(0))) == [3, 4, 5, 7]


def removed(lake: Lake) -> set[str]:
    """The classifiers whose runs ``clean`` removes if nothing is kept for its age."""
    garbage = find_garbage(lake, Retention(days=29, runs=0))
    return {run_id.rpartition("-")[2] for run_id in garbage.run_ids}


def test_clean_removes_no_embeddings_of_a_set_because_another_one_has_kept_newer_ones(lake: Lake) -> None:
    for number, of_set in enumerate(("pets", "pets", "birds"), 1):
        changes = {"classifier": f"f{number}", "encoder": encoder(number)}
        write_run(lake, number, [label_row("a")], description_set=of_set, **changes)
    for number, of_set in enumerate(("pets", "birds"), 4):  # with other descriptions
        write_run(lake, number, [label_row("a")], classifier=f"f{number}", description_set=of_set)
    assert removed(lake) == {"f1"}


def test_clean_removes_no_embeddings_that_current_or_unfinished_labels_are_made_from(lake: Lake) -> None:
    for number in range(1, 5):
        write_run(lake, number, [label_row("a")], classifier=f"f{number}", encoder=encoder(number, 4))
    made = FROM_EMBEDDINGS | {"description_set": "fish", "classifier": "beef", "encoder": encoder(1)}
    write_run(lake, 5, [label_row("a")], **made)
    write_run(lake, 6, [label_row("a")], classifier="beef", description_set="fish")  # recalibrated
    write_run(lake, 7, [label_row("a")], classifier="f7")
    run = replace(RUN, run_id=timestamp() + run_suffix(RUN.collection, "cafe"), classifier="cafe")
    freeze_plan(lake, replace(run, encoder=encoder(2, 4), **FROM_EMBEDDINGS), plan_rows("a"))
    assert removed(lake) == {"f3"}
