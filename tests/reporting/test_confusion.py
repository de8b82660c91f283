import polars as pl
import pytest

from laketag.pipeline.reporting.confusion import confusion_matrix

TRUTHS = pl.DataFrame(
    [("a", "a", 5), ("a", "b", 3), ("b", "b", 4), ("c", "a", 2), ("c", "d", 1)],
    schema=["true_class", "label", "images"],
    orient="row",
)


def test_the_matrix_has_true_classes_down_and_labels_across() -> None:
    found = confusion_matrix(TRUTHS, 9)
    assert found.names == ["a", "b", "c", "d"]
    assert found.rows == [[5, 3, 0, 0], [0, 4, 0, 0], [2, 0, 0, 1], [0, 0, 0, 0]]
    assert found.left_out == 0
    assert found.classes["a"] == pytest.approx((5 / 8, 5 / 7))
    assert found.classes["d"] == (None, 0)
    assert found.classes["c"] == (0, None)


def test_of_many_classes_those_that_are_confused_most_are_shown_and_the_rest_is_counted() -> None:
    found = confusion_matrix(TRUTHS, 2)
    assert found.names == ["a", "b"]
    assert sum(map(sum, found.rows)) + found.left_out == TRUTHS["images"].sum()
