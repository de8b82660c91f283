"""Which rows of the last index are below what could not be read."""

import polars as pl

from laketag.pipeline.lake.carried_rows import carried_rows
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.lake.label_rows import index_rows

URIS = ["/a.jpg", "/a/b/1.jpg", "/a/b-c/2.jpg", "/a/b.jpg", "/a/bc/3.jpg", "/a/b/d/é.jpg", "/z/4.jpg", "/z"]


def test_rows_at_or_below_the_paths_are_found_and_no_others(lake) -> None:
    """Against a plain loop."""
    rows = index_rows([str(number) for number in range(len(URIS))]).with_columns(uri=pl.Series(URIS))
    assert not list(carried_rows(lake, "c", ["/a/"]))
    write_snapshot(lake, "c", [rows])
    for unseen in (
        ["/a/b/"],
        ["/a/b"],
        ["/z", "/a/bc/"],
        ["/nowhere/", "/a/b/d/", "/a/b.jpg"],
        ["/\udcff/"],
        [],
    ):
        tops = [path.rstrip("/") for path in unseen]
        expected = [uri for uri in URIS if any(uri == top or uri.startswith(f"{top}/") for top in tops)]
        found = [uri for batch in carried_rows(lake, "c", unseen) for uri in batch["uri"]]
        assert found == expected
