"""Runs that earlier versions named by decode.max_pixels count as runs of today's classifier."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.classifier.fingerprint import EARLIER_MAX_PIXELS, classifier_fingerprint
from laketag.pipeline.config import DecodeSettings, Settings, StorageSettings
from laketag.pipeline.flows.classifier_name import name_as_in_lake
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.runs import read_runs, select_runs_of
from laketag.pipeline.lake.snapshots import latest_snapshot, write_snapshot
from laketag.pipeline.lake.staging import freeze_plan, run_suffix
from tests.lake.label_rows import index_rows, label_row, plan_rows
from tests.lake.run_rows import RUN, write_run

DECIDED_BY = {"method": {"name": "clip"}, "decode": {"short_side_px": 512}}
TODAY = classifier_fingerprint(DECIDED_BY)
CLASSIFIER = ChosenClassifier(TODAY, RUN.description_set, "v", "clip", {}, DECIDED_BY, b"")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose index has the images a, b and c."""
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    write_snapshot(lake, RUN.collection, [index_rows("abc")])
    return lake


def earlier_name(max_pixels: int) -> str:
    return classifier_fingerprint(DECIDED_BY, max_pixels)


def write_earlier_run(lake: Lake, number: int, images: str, max_pixels: int) -> None:
    """A run as an earlier version named it."""
    settings = json.dumps({"decode": {"max_pixels": max_pixels, "short_side_px": 512}})
    rows = [label_row(image) for image in images]
    write_run(lake, number, rows, classifier=earlier_name(max_pixels), settings=settings)


def name_now(lake: Lake, max_pixels: int) -> str:
    settings = Settings(decode=DecodeSettings(max_pixels=max_pixels))
    return name_as_in_lake(lake, RUN.collection, CLASSIFIER, settings, read_runs(lake)).fingerprint


def pending(lake: Lake, name: str) -> list[str]:
    runs = select_runs_of(read_runs(lake), RUN.collection, name)
    found = find_pending(lake, latest_snapshot(lake, RUN.collection), runs)
    return found.rows["image_id"].to_list()


def test_the_name_of_a_lake_that_was_labelled_with_the_default_is_todays() -> None:
    assert earlier_name(EARLIER_MAX_PIXELS) == TODAY
    assert earlier_name(5) != TODAY


@pytest.mark.parametrize("now", [1, 1000, 10**9], ids=["lower", "the same", "higher"])
def test_what_was_labelled_with_any_other_limit_stays_done_and_current_whatever_the_limit_is_now(
    lake: Lake, now: int
) -> None:
    write_earlier_run(lake, 1, "abc", max_pixels=1000)
    assert pending(lake, name_now(lake, now)) == []
    write_snapshot(lake, RUN.collection, [index_rows("abcd")])
    name = name_now(lake, now)
    assert pending(lake, name) == ["d"]
    write_run(lake, 2, [label_row("d")], classifier=name)
    assert queries.labels(lake.root).collect()["image_id"].sort().to_list() == ["a", "b", "c", "d"]


def test_of_several_limits_the_one_with_the_fewest_images_left_names_the_classifier(lake: Lake) -> None:
    write_earlier_run(lake, 1, "abc", max_pixels=1000)
    write_earlier_run(lake, 2, "a", max_pixels=2000)  # a sample, after the limit was raised
    assert name_now(lake, 2000) == earlier_name(1000)
    write_earlier_run(lake, 3, "bc", max_pixels=2000)
    assert name_now(lake, 2000) == earlier_name(2000), "the newest of two complete ones"


def test_another_classifier_with_the_same_limit_is_another_one(lake: Lake) -> None:
    settings = json.dumps({"decode": {"max_pixels": 1000}})
    write_run(lake, 1, [label_row("a")], classifier="f00d", settings=settings)
    assert name_now(lake, 1000) == TODAY


def test_an_unfinished_run_with_the_limit_of_today_is_resumed(lake: Lake) -> None:
    name = earlier_name(1000)
    run_id = f"20260101T000000.000000Z{run_suffix(RUN.collection, name)}"
    run = replace(RUN, run_id=run_id, classifier=name, planned=3, index_rows=3)
    freeze_plan(lake, run, plan_rows("abc"))
    assert name_now(lake, 1000) == name
    assert name_now(lake, 2000) == TODAY
