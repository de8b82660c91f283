"""Which rows queries show, and what the newest index has for their images."""

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


def statuses(frame: pl.LazyFrame) -> dict[str, str]:
    return dict(frame.select("image_id", "status").collect().rows())


def test_removed_images_are_shown_on_request_and_changed_ones_as_stale_in_every_query(lake):
    snapshot = write_index(lake, "abcde")
    rows = [label_row(name) for name in "abc"] + [label_row(name, failure="empty") for name in "de"]
    run_id = write_run(lake, 1, rows, snapshot=snapshot)
    changed = index_rows("ad").with_columns(etag=pl.lit("v1")), index_rows("b", etag="v2")
    write_snapshot(lake, "photos", [pl.concat(changed)])
    labelled, failed = {"a": "current", "b": "stale"}, {"d": "current"}
    images = {
        name: table
        for name, table in queries.TABLES.items()
        if name not in ("runs", "nights", "summary", "decisions")
    }
    assert {name: statuses(table(lake.root)) for name, table in images.items()} == {
        "labels": labelled,
        "unsure": labelled,
        "tags": labelled,
        "failures": failed,
    }
    counts = pl.col("images", "stale", "removed")
    assert queries.summary(lake.root).select(counts).collect().row(0) == (2, 1, 0)
    assert queries.summary(lake.root, also_removed=True).select(counts).collect().row(0) == (3, 1, 1)
    for which in ({"also_removed": True}, {"run_id": run_id}):
        assert statuses(queries.labels(lake.root, **which)) == labelled | {"c": "removed"}
        assert statuses(queries.failures(lake.root, **which)) == failed | {"e": "removed"}


def test_a_stale_label_is_current_again_once_the_image_is_labelled_or_fails_in_its_new_version(lake):
    write_run(lake, 1, [label_row("a"), label_row("b")])
    write_index(lake, "ab", etag="v2")
    assert statuses(queries.labels(lake.root)) == {"a": "stale", "b": "stale"}
    write_run(lake, 2, [label_row("a", etag="v2"), label_row("b", etag="v2", failure="timeout")])
    assert statuses(queries.labels(lake.root)) == {"a": "current"}
    assert statuses(queries.failures(lake.root)) == {"b": "current"}


def test_true_class_is_what_the_index_states(lake):
    first = write_run(lake, 1, [label_row("a"), label_row("b")], snapshot=write_index(lake, "ab", "tiger"))
    assert found(queries.labels(lake.root)) == [("a", "tiger"), ("b", "tiger")]
    write_index(lake, "a", "cat")
    assert found(queries.labels(lake.root)) == [("a", "cat")]
    assert found(queries.labels(lake.root, run_id=first)) == [("a", "tiger"), ("b", "tiger")]
    assert found(queries.labels(lake.root, also_removed=True)) == [("a", "cat"), ("b", None)]


def test_without_an_index_every_row_is_current_and_has_no_true_class(lake):
    write_run(lake, 1, [label_row("a")])
    assert found(queries.labels(lake.root)) == [("a", None)]
    assert statuses(queries.labels(lake.root)) == {"a": "current"}


def test_stored_order_is_kept(lake):
    ids = [f"{number:03d}" for number in range(500)]
    write_run(lake, 1, [label_row(name) for name in ids[::2]], files=3, snapshot=write_index(lake, ids))
    write_run(lake, 2, [label_row(name) for name in ids[1::2]], files=3)
    assert queries.labels(lake.root).collect(engine="streaming")["image_id"].to_list() == ids[::2] + ids[1::2]
