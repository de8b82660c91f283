"""Finding images in all tables."""

import polars as pl

from laketag.pipeline.lake.image_files import find_images
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.lake.staging import write_part
from tests.lake.decision_rows import decide
from tests.lake.label_rows import index_rows, label_frame, label_row
from tests.lake.run_rows import freeze_run, write_run


def test_images_are_found_in_every_table_and_under_every_uri(lake) -> None:
    write_snapshot(lake, "photos", [index_rows("a")])
    moved = index_rows("ab").with_columns(uri=pl.lit("/elsewhere/") + pl.col("image_id"))
    write_snapshot(lake, "photos", [moved])
    write_snapshot(lake, "others", [index_rows("a").with_columns(uri=pl.lit("/of/another"))])
    write_run(lake, 1, [label_row("c")])
    write_run(lake, 2, [label_row("d", failure="empty")], committed=False)
    run = freeze_run(lake, "e", "20260101T000000.000000Z-e")
    write_part(lake, run.run_id, label_frame([label_row("f")]))
    decide(lake, "g", "dog")
    for image_id in "cdefg":
        found = find_images(lake, pl.col("uri") == f"/images/{image_id}.png", None)
        assert found.rows() == [("photos", image_id, f"/images/{image_id}.png")]
    found = find_images(lake, pl.col("uri") == "/elsewhere/a", "photos")
    assert found.rows() == [("photos", "a", "/elsewhere/a"), ("photos", "a", "/images/a.png")]
    assert find_images(lake, pl.col("uri") == "/elsewhere/a", "others").is_empty()
