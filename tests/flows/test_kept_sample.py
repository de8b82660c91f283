"""Which images of a sample need no pixels, because runs of the classifier have kept their scores or know why they have none."""

import numpy as np
import polars as pl
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.kept_sample import find_kept_scores
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_runs
from tests.lake.full_lakes import label_night
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run

CLASSES = ("dog", "cat")


def sample(**etags: str) -> pl.DataFrame:
    return pl.DataFrame({"image_id": list(etags), "etag": list(etags.values())})


def test_kept_scores_are_found_by_the_version_of_the_image_in_whatever_run(lake: Lake) -> None:
    label_night(lake, {"a": "1", "b": "1", "c": "1"}, failed="c")
    label_night(lake, {"a": "2", "b": "1"})
    known = find_kept_scores(lake, read_runs(lake), sample(a="2", b="1", c="1", d="1"), CLASSES)
    assert {name: scores.tolist() for name, scores in known.scores.items()} == {
        "a": [1, 97.25],
        "b": [1, 98.25],
    }
    assert {scores.dtype for scores in known.scores.values()} == {np.dtype(np.float32)}
    assert known.failures == {}, "c failed for a reason that may pass, so it is read again"
    assert find_kept_scores(lake, read_runs(lake), sample(a="3"), CLASSES).scores == {}
    with pytest.raises(InputError, match="scores of other classes than the description set"):
        find_kept_scores(lake, read_runs(lake), sample(a="1"), ("cat", "dog"))


def test_what_failed_for_good_is_not_read_again_where_scores_are_kept(lake: Lake) -> None:
    write_run(lake, 1, [label_row("a"), label_row("b", failure="truncated")], keep="scores")
    known = find_kept_scores(lake, read_runs(lake), sample(a="v1", b="v1"), CLASSES)
    assert (list(known.scores), known.failures) == (["a"], {"b": "truncated"})


def test_nothing_is_known_where_no_run_has_kept_scores(lake: Lake) -> None:
    write_run(lake, 1, [label_row("a"), label_row("b", failure="truncated")])
    known = find_kept_scores(lake, read_runs(lake), sample(a="v1", b="v1"), CLASSES)
    assert (known.scores, known.failures) == ({}, {})
