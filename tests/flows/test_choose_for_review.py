"""Which labels people see first."""

import polars as pl
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.choose_for_review import choose_for_review
from laketag.pipeline.flows.review_request import REVIEW_ORDERS, ReviewOrder, ReviewRequest
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.flows.review_lakes import write_reviewed
from tests.lake.decision_rows import decide
from tests.lake.label_rows import index_rows, label_row
from tests.lake.run_rows import write_run


def ids(lake: Lake, by: ReviewOrder, limit: int = 100) -> str:
    return "".join(choose_for_review(lake, ReviewRequest(by=by, limit=limit)).rows["image_id"])


@pytest.mark.parametrize(("by", "first"), [("margin", "edcba"), ("probability", "edcba"), ("class", "edcba")])
def test_the_least_certain_come_first(lake: Lake, by: ReviewOrder, first: str) -> None:
    write_reviewed(lake)
    assert ids(lake, by) == first
    assert ids(lake, by, limit=2) == first[:2]


def test_by_class_each_class_has_its_turn(lake: Lake) -> None:
    write_reviewed(lake)
    sure = {"a": 0.1, "c": 0.2, "e": 0.3, "b": 0.8, "d": 0.9}
    rows = [label_row(name, label="cat" if name in "ace" else "dog", probability=sure[name]) for name in sure]
    write_run(lake, 2, rows)
    assert ids(lake, "probability") == "acebd"
    assert ids(lake, "class") == "abcde"


def test_a_random_sample_is_the_same_each_time_and_part_of_a_larger_one(lake: Lake) -> None:
    write_reviewed(lake)
    small = ids(lake, "random", 2)
    assert small == ids(lake, "random", 2)
    assert set(small) < set(ids(lake, "random", 4)) < set("abcde")


def test_disagreement_is_with_the_index_or_the_classifier_before(lake: Lake) -> None:
    write_reviewed(lake)
    with_class = index_rows("abcde").with_columns(
        true_class=pl.when(pl.col("image_id") == "b").then(pl.lit("cat")).otherwise(None)
    )
    write_snapshot(lake, "photos", [with_class])
    assert ids(lake, "disagreement") == "b"
    rows = [label_row(name, label="cat") | {"margin": 5.0 - number} for number, name in enumerate("abcde")]
    write_run(lake, 2, rows, classifier="newer")
    assert ids(lake, "disagreement") == "db"


@pytest.mark.parametrize("by", REVIEW_ORDERS)
def test_what_is_decided_is_not_shown_again(lake: Lake, by: ReviewOrder) -> None:
    write_reviewed(lake)
    for image in "abcde":
        decide(lake, image, None)
    assert ids(lake, by) == ""


def test_several_collections_must_be_told_apart(lake: Lake) -> None:
    write_reviewed(lake)
    write_run(lake, 2, [label_row("a")], collection="scans")
    with pytest.raises(
        InputError, match="several labelled collections and sets; choose one of: --collection photos"
    ):
        ids(lake, "margin")
