"""Calibrations are named by their content, found by their age, and kept as long as a run names them."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.calibrations import newest_calibration, read_calibration, write_calibration
from laketag.pipeline.lake.find_garbage import find_garbage
from laketag.pipeline.lake.garbage import Retention, remove_garbage
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.store.folders import list_files
from tests.lake.calibrated import CALIBRATION
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run

OTHER = replace(CALIBRATION, factor=2.0)
OF = ("photos", "f00d")


def files(lake: Lake) -> list[str]:
    return list_files(lake.path("calibrations"), lake.storage)


def test_what_is_written_is_read_again_exactly_and_the_newest_counts(lake: Lake) -> None:
    assert newest_calibration(lake, *OF) is None
    assert write_calibration(lake, CALIBRATION, {"images": 100})
    assert not write_calibration(lake, CALIBRATION, {"images": 200}), "it is the newest already"
    assert newest_calibration(lake, *OF) == CALIBRATION.content_hash
    assert write_calibration(lake, OTHER, {})
    assert newest_calibration(lake, *OF) == OTHER.content_hash
    for one in (CALIBRATION, OTHER):
        assert read_calibration(lake, *OF, one.content_hash) == one
    assert write_calibration(lake, CALIBRATION, {}), "an earlier one is the newest again"
    assert newest_calibration(lake, *OF) == CALIBRATION.content_hash
    assert newest_calibration(lake, "photos", "beef") is newest_calibration(lake, "more", "f00d") is None
    with pytest.raises(InputError, match="has no calibration 0123, which a run names"):
        read_calibration(lake, *OF, "0123")


def test_verify_knows_calibrations_and_names_changed_missing_and_strange_ones(lake: Lake) -> None:
    write_calibration(lake, CALIBRATION, {})
    run_id = write_run(lake, 1, [label_row("a")], calibration=CALIBRATION.content_hash)
    assert [fault for fault in verify(lake).faults if "calibration" in fault.what] == []
    (url,) = files(lake)
    content = Path(url).read_bytes()
    Path(url.replace(CALIBRATION.content_hash, "0" * 16)).write_bytes(content)
    (lost,) = (fault.what for fault in verify(lake).faults if fault.where == "calibrations")
    assert "was changed after it was written" in lost
    Path(url).rename(Path(url).with_name("mine.parquet"))
    found = {fault.where: fault.what for fault in verify(lake).faults}
    assert found[f"run {run_id}"] == f"its calibration {CALIBRATION.content_hash} is missing"
    assert "calibrations/collection=photos/classifier=f00d/mine.parquet" in found


def test_clean_removes_old_calibrations_that_no_run_names_and_never_the_newest(lake: Lake) -> None:
    third = replace(CALIBRATION, factor=3.0)
    for one in (CALIBRATION, OTHER, third, replace(OTHER, classifier="beef")):
        write_calibration(lake, one, {})
    write_run(lake, 1, [label_row("a")], calibration=CALIBRATION.content_hash)
    assert find_garbage(lake, Retention(days=1)).is_empty, "they are of today"
    remove_garbage(lake, find_garbage(lake, Retention(days=0)))
    kept = {(url.split("/")[-2], url[-24:-8]) for url in files(lake)}
    of_run = "classifier=f00d"
    assert kept == {(of_run, CALIBRATION.content_hash), (of_run, third.content_hash)}


def test_a_class_without_a_threshold_states_why(lake: Lake) -> None:
    write_calibration(lake, CALIBRATION, {})
    rows = pl.read_parquet(files(lake), hive_partitioning=False)
    assert rows.select("class_name", "threshold", "refused").rows() == [
        ("cat", 1.5, None),
        ("dog", None, "3 of the at least 49 examples that precision 0.9 needs"),
        ("other", 2.0, None),
    ]
