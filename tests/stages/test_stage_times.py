"""Seconds of a stage, shared by its rows."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from laketag.pipeline.stages.stage_times import timed


def test_each_table_gets_the_seconds_in_which_it_was_made_and_not_those_of_who_takes_it() -> None:
    clock = [0.0]

    def work() -> Iterator[pa.Table]:
        for rows, seconds in ((2, 4.0), (0, 1.0), (1, 3.0)):
            clock[0] += seconds
            yield pa.table({"image_id": ["x"] * rows})

    found = []
    for table in timed(work(), "decode_s", lambda: clock[0]):
        found.append(table["decode_s"].to_pylist())
        clock[0] += 100  # Ray takes the table
    assert found == [[2.0, 2.0], [], [3.0]]
    assert sum(map(sum, found)) == pytest.approx(7.0)
