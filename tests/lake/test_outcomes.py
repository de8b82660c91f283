import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from laketag.pipeline.lake.id_ranges import IdRange, TemporaryRows
from laketag.pipeline.lake.outcomes import cut_into_files
from laketag.schemas import Labels, Plan
from tests.lake.label_rows import label_frame, label_row


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 5), max_size=5), rows_per_file=st.integers(1, 7))
def test_files_are_full_and_sorted_wherever_the_ranges_end(sizes, rows_per_file) -> None:
    ids = iter(f"{number:03}" for number in range(100))
    ranges, expected = [], []
    for size in sizes:
        images = IdRange(
            TemporaryRows(Plan.create_empty().select("image_id", "etag")),
            TemporaryRows(Labels.create_empty()),
        )
        for image_id in reversed([next(ids) for _ in range(size)]):  # a batch for each image
            images.rows.add(
                label_frame([label_row(image_id, failure="timeout", age_s=9), label_row(image_id)])
            )
            expected.append(image_id)
        ranges.append(images)
    files = list(cut_into_files(ranges, rows_per_file))
    for images in ranges:
        images.plan.close()
        images.rows.close()
    rows = pl.concat([Labels.create_empty(), *files])
    assert rows["image_id"].to_list() == sorted(expected)
    assert rows["failure"].is_null().all()
    assert all(file.height == rows_per_file for file in files[:-1])
