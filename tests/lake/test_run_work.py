"""What rows have cost adds up, in whatever parts they are read."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.lake.run_work import merge_work, sum_work
from laketag.schemas import StagedLabels
from tests.lake.worked_rows import worked_rows


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 9)), max_size=8),
    st.integers(0, 8),
)
def test_sums_of_parts_are_the_sums_of_all(rows: list[tuple[str, str, int]], cut: int) -> None:
    made = [
        worked_rows([f"{number}"], start_s=ord(start), actor=actor, seconds=seconds)
        for number, (start, actor, seconds) in enumerate(rows)
    ]
    every = pl.concat([StagedLabels.create_empty(), *made])
    parts = merge_work(pl.concat([sum_work(every[:cut]), sum_work(every[cut:])]))
    whole = sum_work(every)
    assert parts.equals(whole)
    assert whole["images"].sum() == len(rows)
    assert whole["label_s"].sum() == sum(seconds for _, _, seconds in rows)
    assert whole.height == len({(start, actor) for start, actor, _ in rows})


def test_rows_that_note_no_work_count_nothing() -> None:
    """As those of laketag 0.1.0."""
    rows = worked_rows(["a", "b"]).with_columns(work=pl.when(pl.col("image_id") == "a").then("work"))
    assert sum_work(rows)["images"].to_list() == [1]
