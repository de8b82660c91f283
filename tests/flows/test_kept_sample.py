"""Which images of a sample need no pixels, because runs of the classifier have kept their scores or know why they have none."""

import numpy as np
import polars as pl
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.kept_sample import find_kept_scores
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.retries import RetryRules
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.store.folders import list_files
from tests.lake.full_lakes import label_night
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run

CLASSES = ("dog", "cat")
RULES = RetryRules(depends_on={"too_large": "200"})


def sample(**etags: str) -> pl.DataFrame:
    return pl.DataFrame({"image_id": list(etags), "etag": list(etags.values())})


def test_kept_scores_are_found_by_the_version_of_the_image_in_whatever_run(lake: Lake) -> None:
    label_night(lake, {"a": "1", "b": "1", "c": "1"}, failed="c")
    label_night(lake, {"a": "2", "b": "1"})
    known = find_kept_scores(lake, read_runs(lake), sample(a="2", b="1", c="1", d="1"), CLASSES, RULES)
    assert {name: scores.tolist() for name, scores in known.scores.items()} == {
        "a": [1, 97.25],
        "b": [1, 98.25],
    }
    assert {scores.dtype for scores in known.scores.values()} == {np.dtype(np.float32)}
    assert known.failures == {}, "c failed for a reason that may pass, so it is read again"
    assert find_kept_scores(lake, read_runs(lake), sample(a="3"), CLASSES, RULES).scores == {}
    with pytest.raises(InputError, match="scores of other classes than the description set"):
        find_kept_scores(lake, read_runs(lake), sample(a="1"), ("cat", "dog"), RULES)


def test_what_failed_for_good_is_not_read_again_where_scores_are_kept(lake: Lake) -> None:
    write_run(lake, 1, [label_row("a"), label_row("b", failure="truncated")], keep="scores")
    known = find_kept_scores(lake, read_runs(lake), sample(a="v1", b="v1"), CLASSES, RULES)
    assert (list(known.scores), known.failures) == (["a"], {"b": "truncated"})


def test_nothing_is_known_where_no_run_has_kept_scores(lake: Lake) -> None:
    write_run(lake, 1, [label_row("a"), label_row("b", failure="truncated")])
    known = find_kept_scores(lake, read_runs(lake), sample(a="v1", b="v1"), CLASSES, RULES)
    assert (known.scores, known.failures) == ({}, {})


@pytest.mark.parametrize(("limit_then", "failures"), [("100", {}), ("200", {"b": "too_large"})])
def test_a_permanent_failure_is_read_again_once_its_cause_is_lifted(
    lake: Lake, limit_then: str, failures: dict[str, str]
) -> None:
    failed = label_row("b", failure="too_large") | {"failure_depended_on": limit_then}
    write_run(lake, 1, [label_row("a"), failed], keep="scores")
    assert find_kept_scores(lake, read_runs(lake), sample(b="v1"), CLASSES, RULES).failures == failures


def test_of_files_without_an_image_of_the_sample_only_the_keys_are_read(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    label_night(lake, {"a": "1", "b": "1"})
    file = next(url for url in list_files(lake.path("scores"), lake.storage) if "a" in set(ids_of(url)))
    pl.read_parquet(file).with_columns(pl.col("scores").list.head(1)).write_parquet(file)
    assert list(find_kept_scores(lake, read_runs(lake), sample(b="1"), CLASSES, RULES).scores) == ["b"]


def ids_of(url: str) -> pl.Series:
    return pl.read_parquet(url, columns=["image_id"])["image_id"]
