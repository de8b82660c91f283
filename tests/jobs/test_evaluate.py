"""What ``laketag evaluate`` refuses before it looks up a model; tests/end_to_end/test_evaluate.py has whole evaluations."""

from pathlib import Path

import polars as pl
import pytest

import laketag
from laketag.jobs.evaluate import split_names
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError, LaketagError, SettingsError
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.lake.label_rows import index_rows
from tests.lake.pets import write_pets


@pytest.fixture
def lake(tmp_path: Path) -> str:
    """Two images with a class, and descriptions of pets."""
    lake = open_lake(str(tmp_path), StorageSettings())
    rows = index_rows("ab").with_columns(true_class=pl.Series(["cat", "cow"]))
    write_snapshot(lake, "photos", [rows])
    write_snapshot(lake, "bare", [index_rows("ab").with_columns(true_class=pl.lit(None, pl.String))])
    write_pets(lake, "f" * 16, "pets")
    return lake.root


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"methods": "clip,absolute"},
            SettingsError,
            "method 'absolute' is unknown; choose some of clip, clip-e",
        ),
        ({"methods": " , "}, SettingsError, "no method is named"),
        ({"methods": "clip-d"}, SettingsError, "method 'clip-d' needs descriptors; .* --descriptors"),
        (
            {"methods": "clip,clip-e", "descriptions": True},
            SettingsError,
            "--descriptions compares methods that read descriptions, and clip, clip-e read none",
        ),
        ({"seeds": 0}, SettingsError, "--seeds 0: give a number from 1"),
        ({"benchmark": "mnist"}, SettingsError, "--benchmark mnist is unknown; choose one of imagenet, cub"),
        ({"max_hours": -1}, SettingsError, "--max-hours -1"),
        ({"description_set": "birds"}, InputError, "no description set 'birds'; it has pets"),
        ({"descriptors": "a/b"}, SettingsError, "set 'a/b' cannot be part of a path"),
        ({"collection": "paintings"}, InputError, "no index of collection 'paintings'; it has bare, photos"),
        ({"collection": "bare"}, InputError, "none of the 2 images in the index has a true class"),
        ({}, InputError, "1 images are of 1 classes that set pets does not describe: 'cow'"),
    ],
)
def test_impossible_requests_end_before_any_model_is_looked_up(
    lake: str, options: dict[str, object], error: type[LaketagError], message: str
) -> None:
    arguments = {"collection": "photos", "description_set": "pets"} | options
    with pytest.raises(error, match=message):
        laketag.evaluate(lake, **arguments)  # type: ignore[arg-type]
    assert not Path(lake, "evaluations").exists()


def test_names_of_methods_may_be_a_list_or_a_text_with_commas() -> None:
    assert split_names("clip, wca,abs:uniform") == ("clip", "wca", "abs:uniform")
    assert split_names(["clip,wca", "abs"]) == ("clip", "wca", "abs")
