"""What ``laketag calibrate`` refuses before it looks up a model; tests/end_to_end/test_calibrate.py has whole ones."""

from pathlib import Path

import polars as pl
import pytest

import laketag
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError, LaketagError, SettingsError
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.lake.label_rows import index_rows
from tests.lake.pets import write_pets


@pytest.fixture
def lake(tmp_path: Path) -> str:
    """Two images with a class, two without, and descriptions of pets."""
    lake = open_lake(str(tmp_path), StorageSettings())
    write_snapshot(lake, "photos", [index_rows("ab").with_columns(true_class=pl.Series(["cat", "cow"]))])
    write_snapshot(lake, "bare", [index_rows("ab").with_columns(true_class=pl.lit(None, pl.String))])
    write_pets(lake, "f" * 16, "pets")
    return lake.root


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sample": 1}, SettingsError, "--sample 1: give a number of images from 2"),
        ({"precision": 1}, SettingsError, "--precision 1: give a fraction over 0 and under 1"),
        ({"confidence": 0}, SettingsError, "--confidence 0: give a fraction"),
        ({"coverage": 1.5}, SettingsError, "--coverage 1.5: give a fraction"),
        (
            {"precision": 0.9, "min_score": 2},
            SettingsError,
            "--min-score 2 is a threshold without a promised",
        ),
        ({"override": ["method.budget=cascade"]}, SettingsError, "scores do not compare"),
        ({"description_set": "birds"}, InputError, "no description set 'birds'; it has pets"),
        ({"collection": "paintings"}, InputError, "no index of collection 'paintings'"),
        (
            {"collection": "bare", "precision": 0.8},
            InputError,
            "--precision 0.8 needs images whose true class is known",
        ),
        ({"without_classes": True, "confidence": 0.9}, InputError, "--precision 0.9 needs images whose true"),
        ({}, InputError, "1 images are of 1 classes that the set does not describe: 'cow'"),
    ],
)
def test_impossible_requests_end_before_any_model_is_looked_up(
    lake: str, options: dict[str, object], error: type[LaketagError], message: str
) -> None:
    arguments = {"collection": "photos", "description_set": "pets"} | options
    with pytest.raises(error, match=message):
        laketag.calibrate(lake, **arguments)  # type: ignore[arg-type]
    assert not Path(lake, "calibrations").exists()
