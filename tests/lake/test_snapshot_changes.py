"""Two snapshots of a collection differ in new, changed, edited and missing images."""

import polars as pl

from laketag.pipeline.lake.snapshot_changes import Changes, count_changes, name_gone
from laketag.pipeline.store.versions import UNKNOWN
from tests.lake.label_rows import index_rows


def test_each_image_is_counted_once_whatever_the_order() -> None:
    old = index_rows(list("abcd"))
    new = pl.concat([index_rows("e"), index_rows("d", etag="v2"), index_rows("c"), index_rows("b")])
    new = new.with_columns(true_class=pl.when(image_id="c").then(pl.lit("cat")))
    assert count_changes(old.lazy(), new.lazy()) == Changes(new=1, changed=1, edited=1, gone=1)
    assert not count_changes(old.lazy(), old.reverse().lazy())
    assert name_gone(old.lazy(), new.lazy(), 3) == ["/images/a.png"]
    carried = old.with_columns(carried=pl.col("image_id") == "a")
    assert count_changes(old.lazy(), carried.lazy()) == Changes(carried=1)
    assert count_changes(carried.lazy(), old.lazy()) == Changes(carried=1)
    assert count_changes(old.clear().lazy(), old.lazy()) == Changes(new=4)


def test_an_image_whose_version_is_no_longer_found_is_unseen_and_not_changed() -> None:
    old = pl.concat([index_rows("ab"), index_rows("c", etag=UNKNOWN)])
    new = pl.concat([index_rows("b"), index_rows("ac", etag=UNKNOWN)])
    assert count_changes(old.lazy(), new.lazy()) == Changes(unseen=1)
    assert name_gone(old.lazy(), new.lazy(), 3) == ["/images/a.png"]
    assert count_changes(new.lazy(), old.lazy()) == Changes(changed=1)
