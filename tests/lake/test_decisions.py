"""Decisions are kept one by one, and the newest about a version of an image counts."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from laketag.pipeline.errors import BusyError, InputError
from laketag.pipeline.lake.decisions import (
    Decided,
    decision_frame,
    decision_row,
    find_decided,
    hold_review,
    prefer_decisions,
)
from laketag.pipeline.lake.lease import LeaseTimes, hold_lease, hold_whole_lake
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.tables import write_table
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.store.folders import list_files
from laketag.schemas import ImageIndex
from tests.lake.decision_rows import decide
from tests.lake.disturbed import Killed, before_each_change, kill_at
from tests.lake.label_rows import index_rows
from tests.stores.store import Store

IMAGE = {"image_id": "a", "uri": "/a", "etag": "v1"}


def test_the_newest_decision_about_each_version_counts_on_every_store(store: Store) -> None:
    lake = open_lake(store.root, store.storage)
    decide(lake, "a", "dog", age_s=1)
    decide(lake, "a", "cat", age_s=9)  # recorded later, decided earlier
    decide(lake, "a", "bird", etag="v2")
    decide(lake, "b", "dog", age_s=5)
    decide(lake, "b", None, age_s=4)
    decide(lake, "c", "dog", age_s=5)
    decided = decide(lake, "c", None, verdict="withdrawn")
    counting = decided.read_current().sort("image_id", "etag")
    assert counting.select("image_id", "etag", "label").rows() == [
        ("a", "v1", "dog"),
        ("a", "v2", "bird"),
        ("b", "v1", None),
    ]
    assert decided.read().height == 7
    assert find_decided(lake) == [decided]
    assert verify(lake).faults == []


def test_no_clock_that_is_ahead_keeps_later_decisions_from_counting(lake) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    decided = Decided(lake, "photos", "animals")
    for label, time in (("dog", tomorrow), ("cat", datetime.now(UTC) + timedelta(seconds=1))):
        decided.record(decision_frame([decision_row(IMAGE, "class", label, ("jane", "csv"), time)]))
    assert decided.read_current()["label"].to_list() == ["cat"]


def test_the_same_decision_recorded_twice_is_one(lake) -> None:
    decide(lake, "a", "dog")
    assert decide(lake, "a", "dog").read().height == 1


def test_a_decision_without_a_class_and_one_with_an_unknown_verdict_break_the_contract(lake) -> None:
    row = decision_row(IMAGE, "class", None, ("jane", "csv"), datetime.now(UTC))
    with pytest.raises(dy.exc.ValidationError, match="only_a_class_has_a_label"):
        Decided(lake, "photos", "animals").record(decision_frame([row]))
    assert not list_files(lake.path("decisions"), lake.storage)


def test_merging_killed_anywhere_loses_and_doubles_no_decision(lake) -> None:
    for image_id in "abcd":
        decided = decide(lake, image_id, "dog")
    before = decided.read()
    with hold_lease(lake, "upkeep") as lease:
        for number in range(9):
            with suppress(Killed), before_each_change(kill_at(number)):
                decided.merge(lease)
            assert decided.read().equals(before)
            assert verify(lake).faults == []
        assert decided.merge(lease) == 1
    assert decided.read().equals(before)


def test_what_is_no_table_of_decisions_is_a_fault(lake) -> None:
    decided = decide(lake, "a", "dog")
    Path(decided.url, "more.parquet").write_bytes(b"nothing")
    (fault,) = verify(lake).faults
    assert fault.where == "decisions/collection=photos/set=animals"
    Path(decided.url, "more.parquet").unlink()
    write_table(index_rows("a"), f"{decided.url}/index.parquet", ImageIndex, lake.storage)
    with pytest.raises(InputError, match="no table of Decisions"):
        decided.read()


def test_nobody_forgets_images_while_somebody_reviews(lake) -> None:
    times = LeaseTimes(heartbeat_s=0.05, poll_s=0.05)
    with (
        hold_review(lake, print, times),
        hold_review(lake, print, times),
        pytest.raises(BusyError, match="reviews images of this lake"),
        hold_whole_lake(lake, times=times),
    ):
        pass


def test_a_decided_class_is_the_true_class_of_the_decided_version_alone(lake) -> None:
    decide(lake, "a", "dog")
    decide(lake, "b", None)
    decided = decide(lake, "c", "dog", etag="v0")
    index = index_rows("abcd").with_columns(true_class=pl.lit("cat"))
    truth = prefer_decisions(index, decided.read_current())
    assert truth["true_class"].to_list() == ["dog", None, "cat", "cat"]
    assert truth.drop("true_class").equals(index.drop("true_class"))
