"""How fast a run was: figures that add up over the processes that drove it."""

from datetime import timedelta

import polars as pl
import pytest

from laketag.pipeline.lake.run_speed import RunSpeed, Spent, measure_run
from laketag.pipeline.lake.run_work import sum_work
from laketag.schemas import StagedLabels
from tests.lake.label_rows import EPOCH
from tests.lake.worked_rows import worked_rows

HOUR = 3600.0
IDS = [f"{number}" for number in range(20)]


def measured(*rows: pl.DataFrame, spent: Spent | None = None) -> RunSpeed:
    return measure_run(sum_work(pl.concat([StagedLabels.create_empty(), *rows])), spent or Spent())


def test_a_run_is_as_fast_as_from_its_first_image_at_the_model_to_its_last_staged_part() -> None:
    first, second = worked_rows(IDS[:10], began_s=10, seconds=4), worked_rows(IDS[10:], began_s=15, seconds=5)
    speed = measured(first, second, spent=Spent(price_per_hour=2.0))
    assert (speed.images_per_s, speed.starts, speed.seconds, speed.start_s, speed.bytes_read) == (
        2.0,
        1,
        20,
        10,
        20_000,
    )
    assert speed.device_busy_fraction == pytest.approx(0.9)  # it waited for a second between both
    assert speed.seconds_per_million == 500_000
    assert speed.cost_per_million == pytest.approx(500_000 / HOUR * 2.0)
    fetch, decode, label = speed.stages
    assert (fetch["stage"], fetch["at_once"], fetch["busy_fraction"]) == ("fetch", 2.0, pytest.approx(9 / 20))
    assert (decode["at_once"], decode["busy_fraction"]) == (4.0, pytest.approx(4.5 / 40))
    assert (label["at_once"], label["images_per_s"]) == (1.0, pytest.approx(20 / 9))
    assert speed.flow_to_bare_ratio == pytest.approx(speed.images_per_s / label["images_per_s"])


def test_killed_starts_count_until_their_last_part_and_the_publishing_one_until_now() -> None:
    killed = worked_rows(IDS[:10], start_s=-1000, began_s=10, seconds=5)
    last = worked_rows(IDS[10:], start_s=0, began_s=20, seconds=5)
    speed = measured(killed, last)
    assert (speed.starts, speed.seconds, speed.start_s, speed.bytes_read) == (2, 15 + 25, 30, 20_000)
    assert speed.images_per_s == 2.0
    now = measured(killed, last, spent=Spent(EPOCH))
    assert now.starts == 2
    assert now.seconds is not None
    assert now.seconds > 1e6  # EPOCH is long ago
    only_published = measured(killed, spent=Spent(EPOCH + timedelta(seconds=1)))
    assert (only_published.starts, only_published.images_per_s) == (2, 2.0)


def test_each_actor_has_its_rate_and_a_restarted_one_does_not_count_twice_at_once() -> None:
    parts = [
        worked_rows(IDS[:10], began_s=10, seconds=5, actor="node/1"),
        worked_rows(IDS[10:], began_s=15, seconds=10, actor="node/2"),
    ]
    speed = measured(*parts)
    assert [(actor["actor"], actor["images"], actor["images_per_s"]) for actor in speed.actors] == [
        ("node/1", 10, 2.0), ("node/2", 10, 1.0),
    ]  # fmt: skip
    assert (speed.device_busy_fraction, speed.stages[-1]["at_once"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("brake", "row"),
    [
        ("label", {"label_s": 90}),
        ("fetch", {"fetch_s": 190, "label_s": 60}),
        ("decode", {"decode_s": 390, "label_s": 60}),
        ("waiting", {"label_s": 20}),
        ("start", {"label_s": 90, "start_at": EPOCH - timedelta(seconds=1000)}),
    ],
)
def test_what_holds_a_run_back_is_named(brake: str, row: dict[str, object]) -> None:
    rows = worked_rows(["a"], began_s=1, seconds=100)
    work = rows["work"][0] | {"fetch_s": 0.1, "decode_s": 0.1} | row
    made = rows.with_columns(work=pl.Series([work], dtype=rows.schema["work"]))
    assert measured(made).held_back_by == brake


def test_a_publication_that_took_most_of_the_time_holds_the_run_back() -> None:
    assert measured(worked_rows(IDS), spent=Spent(EPOCH)).held_back_by == "publish"


def test_too_short_a_run_tells_no_rate_and_rows_without_notes_tell_nothing() -> None:
    short = measured(worked_rows(IDS, seconds=0.5), spent=Spent(price_per_hour=1.0))
    assert (short.images_per_s, short.flow_to_bare_ratio) == (0.0, None)
    assert (short.seconds_per_million, short.cost_per_million, short.bytes_read) == (None, None, 20_000)
    assert measured() == RunSpeed()
    only_published = measured(spent=Spent(EPOCH))
    assert only_published.starts == 1
    assert only_published.bytes_read is None
