"""The outcomes of a run's images: one row for each, out of the rows of all its tries."""

from collections.abc import Iterable, Iterator

import polars as pl

from laketag.pipeline.lake.id_ranges import IdRange
from laketag.schemas import Labels


def pick_outcomes(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each image, sorted by image_id: its newest label, or its newest failure if it has no label.

    Only the key columns are sorted, then whole rows gathered: polars needs six times the memory to sort nested columns.
    """
    keys = rows.select("image_id", pl.col("failure").is_not_null(), "labelled_at").with_row_index()
    newest_label_first = keys.sort("image_id", "failure", "labelled_at", descending=[False, False, True])
    return rows[newest_label_first.unique("image_id", keep="first", maintain_order=True)["index"]]


def cut_into_files(ranges: Iterable[IdRange], rows_per_file: int) -> Iterator[pl.DataFrame]:
    """The outcomes of the images of all ranges, sorted by image_id, ``rows_per_file`` at a time; the last may be fewer."""
    rest: pl.DataFrame = Labels.create_empty()
    for images in ranges:
        rest = pl.concat([rest, pick_outcomes(images.rows.read())])
        whole = rest.height // rows_per_file * rows_per_file
        yield from rest.head(whole).iter_slices(rows_per_file)
        rest = rest.slice(whole)
    if rest.height:
        yield rest
