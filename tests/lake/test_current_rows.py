"""Which rows are current, and which class the index states for their images."""

import polars as pl

from laketag.pipeline.lake import queries
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.lake.label_rows import index_rows, label_row
from tests.lake.run_rows import write_run


def found(frame: pl.LazyFrame) -> list[tuple[str, str | None]]:
    return frame.select("image_id", "true_class").sort("image_id").collect().rows()


def write_index(lake, ids, true_class=None, etag="v1"):
    rows = index_rows(ids, etag).with_columns(true_class=pl.lit(true_class, pl.String))
    return write_snapshot(lake, "photos", [rows]).name


def test_images_that_are_gone_or_have_changed_are_history_in_every_query(lake):
    snapshot = write_index(lake, "abcde")
    rows = [label_row(name) for name in "abc"] + [label_row(name, failure="empty") for name in "de"]
    run_id = write_run(lake, 1, rows, snapshot=snapshot)
    changed = index_rows("ad").with_columns(etag=pl.lit("v1")), index_rows("b", etag="v2")
    write_snapshot(lake, "photos", [pl.concat(changed)])
    images = {name: table(lake.root) for name, table in queries.TABLES.items() if name != "runs"}
    assert images.pop("summary").select("images").collect().item() == 1
    assert queries.summary(lake.root, history=True).select("images").collect().item() == 3
    assert {name: found(frame.unique("image_id")) for name, frame in images.items()} == {
        "labels": [("a", None)],
        "unsure": [("a", None)],
        "tags": [("a", None)],
        "failures": [("d", None)],
    }
    for which in ({"history": True}, {"run_id": run_id}):
        assert [image for image, _ in found(queries.labels(lake.root, **which))] == ["a", "b", "c"]
        assert [image for image, _ in found(queries.failures(lake.root, **which))] == ["d", "e"]


def test_true_class_is_what_the_index_states(lake):
    first = write_run(lake, 1, [label_row("a"), label_row("b")], snapshot=write_index(lake, "ab", "tiger"))
    assert found(queries.labels(lake.root)) == [("a", "tiger"), ("b", "tiger")]
    write_index(lake, "a", "cat")
    assert found(queries.labels(lake.root)) == [("a", "cat")]
    assert found(queries.labels(lake.root, run_id=first)) == [("a", "tiger"), ("b", "tiger")]
    assert found(queries.labels(lake.root, history=True)) == [("a", "cat"), ("b", None)]


def test_without_an_index_every_row_is_current_and_has_no_true_class(lake):
    write_run(lake, 1, [label_row("a")])
    assert found(queries.labels(lake.root)) == [("a", None)]


def test_stored_order_is_kept(lake):
    ids = [f"{number:03d}" for number in range(500)]
    write_run(lake, 1, [label_row(name) for name in ids[::2]], files=3, snapshot=write_index(lake, ids))
    write_run(lake, 2, [label_row(name) for name in ids[1::2]], files=3)
    assert queries.labels(lake.root).collect(engine="streaming")["image_id"].to_list() == ids[::2] + ids[1::2]
