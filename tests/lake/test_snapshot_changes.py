"""Two snapshots of a collection differ in new, changed, edited and missing images."""

import polars as pl

from laketag.pipeline.lake.snapshot_changes import Changes, count_changes
from tests.lake.label_rows import index_rows


def test_each_image_is_counted_once_whatever_the_order() -> None:
    old = index_rows(list("abcd"))
    new = pl.concat([index_rows("e"), index_rows("d", etag="v2"), index_rows("c"), index_rows("b")])
    new = new.with_columns(true_class=pl.when(image_id="c").then(pl.lit("cat")))
    assert count_changes(old.lazy(), new.lazy()) == Changes(new=1, changed=1, edited=1, gone=1)
    assert not count_changes(old.lazy(), old.reverse().lazy())
    assert count_changes(old.clear().lazy(), old.lazy()) == Changes(new=4)
