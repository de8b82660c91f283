"""When a run stops itself, and how much it reads at once."""

from collections import Counter

import pyarrow as pa
import pytest
from rich.console import Console

from laketag.pipeline.config import FetchSettings, Settings, StorageSettings
from laketag.pipeline.errors import StoppedError
from laketag.pipeline.flows.label_chain import stop_if_hopeless
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.stages import fetch_images
from laketag.pipeline.stages.fetch_images import fetch_in_parts

SETTINGS = Settings()


def progress(done_before: int = 0, **outcomes: int) -> Progress:
    return Progress(
        10_000, Console(quiet=True), done=done_before + sum(outcomes.values()), outcomes=Counter(outcomes)
    )


def test_a_run_stops_when_most_of_its_images_fail_for_one_reason() -> None:
    with pytest.raises(
        StoppedError, match=r"200 of 300 images failed as 'forbidden'.*max_failed_fraction = 0.5"
    ):
        stop_if_hopeless(progress(labelled=100, forbidden=200), SETTINGS, "r")


def test_it_goes_on_while_they_are_few_or_a_small_part() -> None:
    stop_if_hopeless(progress(forbidden=199), SETTINGS, "r")
    stop_if_hopeless(progress(labelled=200, forbidden=200), SETTINGS, "r")
    stop_if_hopeless(progress(labelled=1000), SETTINGS, "r")
    stop_if_hopeless(progress(forbidden=150, not_found=150), SETTINGS, "r")


def test_what_an_earlier_process_labelled_counts() -> None:
    """The failures of before are tried first when a run goes on."""
    stop_if_hopeless(progress(done_before=3500, not_found=1500), SETTINGS, "r")


def test_a_fraction_of_one_never_stops() -> None:
    never = SETTINGS.model_copy(update={"run": SETTINGS.run.model_copy(update={"max_failed_fraction": 1.0})})
    stop_if_hopeless(progress(not_found=5000), never, "r")


def test_parts_are_bounded_by_bytes_and_hold_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_images, "PART_BYTES", 100)
    monkeypatch.setattr(fetch_images, "GUESSED_BYTES", 40)
    sizes = [60, 30, 30, 500, None, None, None, 0, 90]
    plan = pa.table(
        {
            "image_id": [str(number) for number in range(len(sizes))],
            "uri": [f"/nowhere/{number}" for number in range(len(sizes))],
            "etag": ["x"] * len(sizes),
            "size_bytes": pa.array(sizes, pa.int64()),
        }
    )
    parts = list(fetch_in_parts(plan, fetch=FetchSettings(max_bytes=200), storage=StorageSettings()))
    assert [part["image_id"].to_pylist() for part in parts] == [
        ["0", "1"],
        ["2"],
        ["3"],
        ["4", "5"],
        ["6", "7"],
        ["8"],
    ]
    assert all(part["failure"].to_pylist() == ["not_found"] * part.num_rows for part in parts)


def test_an_empty_batch_is_one_empty_part() -> None:
    plan = pa.table({name: pa.array([], pa.string()) for name in ("image_id", "uri", "etag")})
    plan = plan.append_column("size_bytes", pa.array([], pa.int64()))
    (part,) = fetch_in_parts(plan, fetch=FetchSettings(), storage=StorageSettings())
    assert part.num_rows == 0
