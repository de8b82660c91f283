"""Which images a calibration is fitted to."""

import polars as pl
import pytest

from laketag.pipeline.calibration.fit import OUTSIDE
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.frozen_sample import FrozenSample, SampleRequest, freeze_sample
from laketag.pipeline.flows.true_classes import read_known_classes
from laketag.pipeline.lake.decisions import Decided
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.lake.decision_rows import decide
from tests.lake.label_rows import index_rows
from tests.lake.run_rows import RUN

NAMES = ("hot dog", "cat", "bird")


def freeze(lake: Lake, classes: list[str | None], request: SampleRequest) -> FrozenSample:
    ids = "abcdefghij"[: len(classes)]
    write_snapshot(
        lake, RUN.collection, [index_rows(ids).with_columns(true_class=pl.Series(classes, dtype=pl.String))]
    )
    known = read_known_classes(lake, RUN.collection, RUN.description_set)
    decisions = Decided(lake, RUN.collection, RUN.description_set).read_current()
    return freeze_sample(known, decisions, NAMES, request)


def test_images_with_a_class_are_drawn_where_there_are_any_and_spelled_as_in_the_set(lake: Lake) -> None:
    sample = freeze(lake, ["cat", None, "Hot_Dog", None], SampleRequest(10))
    assert sample.knows_classes
    assert sample.images.select("image_id", "class_number").rows() == [("a", 1), ("c", 0)]
    found = sample.true_class(["c", "a"])
    assert found is not None
    assert found.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("classes", "request_"),
    [([None] * 4, SampleRequest(3)), (["cat", "bird", None, "cow"], SampleRequest(3, ignores_classes=True))],
)
def test_without_classes_the_same_images_are_drawn_from_all_each_time(
    lake: Lake, classes: list[str | None], request_: SampleRequest
) -> None:
    sample = freeze(lake, classes, request_)
    assert not sample.knows_classes
    assert sample.true_class(["a"]) is None
    assert sample.images.height == 3
    assert freeze(lake, classes, request_).images["image_id"].to_list() == sample.images["image_id"].to_list()


def test_what_people_decided_comes_before_the_index_and_none_of_these_is_outside(lake: Lake) -> None:
    decide(lake, "a", "bird")
    decide(lake, "b", None)
    decide(lake, "d", "cat")
    sample = freeze(lake, ["cat", "cat", "cat", None], SampleRequest(10))
    assert sample.images.select("image_id", "class_number").rows() == [
        ("a", 2),
        ("b", OUTSIDE),
        ("c", 1),
        ("d", 1),
    ]


def test_other_classes_are_a_mistake_unless_they_are_said_to_be_outside(lake: Lake) -> None:
    with pytest.raises(
        InputError,
        match=r"2 images are of 1 classes that the set does not describe: 'cow'; .* --others-outside",
    ):
        freeze(lake, ["cat", "cow", "cow"], SampleRequest(10))
    sample = freeze(lake, ["cat", "cow", "cow"], SampleRequest(10, others_are_outside=True))
    assert sample.images["class_number"].to_list() == [1, OUTSIDE, OUTSIDE]
    assert "they count as outside the set" in sample.notices[0]
