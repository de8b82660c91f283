"""Ranges of a plan hold every id once, also ids that the plan does not have."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.lake.id_ranges import split_plan

IDS = st.text(st.sampled_from("abc\x00\uffff"), max_size=3)


@given(planned=st.sets(IDS, max_size=12), others=st.lists(IDS, max_size=12), rows=st.integers(1, 13))
def test_each_id_is_held_once_and_with_its_neighbours_of_the_plan(
    planned: set[str], others: list[str], rows: int
) -> None:
    plan = pl.DataFrame({"image_id": sorted(planned)}, schema={"image_id": pl.String})
    every = pl.DataFrame({"image_id": [*planned, *others]}, schema={"image_id": pl.String})
    ranges = list(split_plan(plan, rows))
    held = [every.filter(images.holds)["image_id"] for images in ranges]
    assert sorted(pl.concat(held)) == sorted(every["image_id"])
    assert pl.concat(images.plan for images in ranges).equals(plan)
    for images, ids in zip(ranges, held, strict=True):
        assert images.plan.height <= rows
        assert set(images.plan["image_id"]) == set(ids) & planned
