from datetime import timedelta

import polars as pl

from laketag.pipeline.lake.hashed_rows import NAMED_IMAGES
from laketag.pipeline.lake.work_keys import WorkKeys
from tests.lake.label_rows import EPOCH


def doubles(
    runs: list[str],
    rows: list[tuple[str, str, str, str | None]],
    *,
    overlap: bool = False,
    left: int | None = 0,
    recalibrated: tuple[str, ...] = (),
) -> list[tuple[str, str]]:
    """Of rows (run, image, version, failure)."""
    frame = pl.DataFrame(rows, schema=["run_id", "image_id", "etag", "failure"], orient="row", strict=False)
    names = dict(zip(frame["image_id"].hash(), frame["image_id"], strict=True))
    hours = [EPOCH + timedelta(hours=number) for number in range(len(runs))]
    late = [hour + timedelta(minutes=30) for hour in hours]
    started = [EPOCH] * len(runs) if overlap else hours
    keys = WorkKeys(
        pl.DataFrame(
            {
                "run_id": runs,
                "started_at": started,
                "finished_at": late,
                "left": [left] * len(runs),
                "recalibrated": [run in recalibrated or None for run in runs],
            }
        )
    )
    for part in frame.cast({"failure": pl.String}).iter_slices(2):
        keys.add(part)
    return list(keys.doubles(lambda wanted: {one: names[one] for one in wanted}))


def test_an_image_may_be_labelled_again_only_after_it_failed_or_changed() -> None:
    right = [
        ("r1", "a", "1", None), ("r2", "a", "2", None), ("r3", "a", "1", None),
        ("r1", "b", "1", "timeout"), ("r2", "b", "1", "timeout"), ("r3", "b", "1", None),
    ]  # fmt: skip
    assert doubles(["r1", "r2", "r3"], right) == []
    again = doubles(["r2", "r1"], [("r1", "a", "1", None), ("r2", "a", "1", None), ("r2", "b", "1", None)])
    assert again == [("image a", "was labelled by two runs in the same version")]
    planned_before = [("r1", "a", "1", None), ("r2", "a", "1", None)]
    by_two = [("image a", "was labelled by two runs in the same version")]
    assert doubles(["r1", "r2"], planned_before, overlap=True) == by_two
    assert doubles(["r1", "r2"], planned_before, left=None) == by_two
    assert doubles(["r1", "r2"], planned_before, overlap=True, left=None) == []  # a sample of laketag 0.1.0
    twice = doubles(["r1"], [("r1", "a", "1", None), ("r1", "b", "1", None), ("r1", "a", "2", "timeout")])
    assert twice == [("image a", "has two rows in one run")]


def test_only_the_later_row_of_a_recalibration_may_repeat_a_label() -> None:
    rows = [("r1", "a", "1", None), ("r2", "a", "1", None)]
    by_two = [("image a", "was labelled by two runs in the same version")]
    assert doubles(["r1", "r2"], rows, recalibrated=("r2",)) == []
    assert doubles(["r1", "r2"], rows, recalibrated=("r1",)) == by_two
    assert doubles(["r1", "r2", "r3"], [*rows, ("r3", "a", "1", None)], recalibrated=("r2",)) == by_two


def test_of_many_doubles_some_are_named_and_all_counted() -> None:
    rows = [("r1", f"{number:03}", "1", None) for number in range(NAMED_IMAGES + 3)] * 2
    found = doubles(["r1"], rows)
    assert len(found) == NAMED_IMAGES + 1
    assert found[-1] == ("3 more images", "has two rows in one run")
