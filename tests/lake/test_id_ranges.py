"""The staged rows of a run by ranges of ids: each row once, in order, and no part is read twice."""

import itertools

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.id_ranges import IdRange, split_staged
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.staging import write_part
from laketag.pipeline.store.folders import remove_folder
from tests.lake.label_rows import label_frame, label_row
from tests.lake.run_rows import freeze_run

IDS = st.text(st.sampled_from("abc\uffff"), max_size=3)


def bounds_of(images: IdRange) -> tuple[str, str] | None:
    """The first and the last id that the range has."""
    ids = [*images.plan.read()["image_id"], *images.rows.read(["image_id"])["image_id"]]
    return (min(ids), max(ids)) if ids else None


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    planned=st.sets(IDS, min_size=1, max_size=12), others=st.sets(IDS, max_size=12), rows=st.integers(1, 13)
)
def test_each_planned_image_and_staged_row_is_in_one_of_ranges_that_do_not_overlap(
    tmp_path_factory, planned, others, rows
) -> None:
    lake = open_lake(str(tmp_path_factory.mktemp("lake")), StorageSettings())
    run = freeze_run(lake, sorted(planned))
    tried = [*sorted(planned), *sorted(others, reverse=True)]  # some of them twice, some of them not planned
    for image_id in tried:
        write_part(lake, run.run_id, label_frame([label_row(image_id)]))
    with split_staged(lake, run.run_id, run.planned, rows_in_memory=rows) as split:
        ranges = split.ranges
        remove_folder(lake.staging(run.run_id), lake.storage)  # all of it was read
        plan = pl.concat(images.plan.read() for images in ranges)
        found = pl.concat(images.rows.read() for images in ranges)
        held = [bounds for images in ranges if (bounds := bounds_of(images))]
    assert sorted(plan["image_id"]) == sorted(planned)
    assert sorted(found["image_id"]) == sorted(set(tried))
    assert all(last < first for (_, last), (first, _) in itertools.pairwise(held))
    assert len(ranges) <= -(-len(planned) // rows)
