"""Indexing: a folder, a prefix or a Parquet index in, an index snapshot out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.listing import ImageListing, image_id
from laketag.pipeline.images.parquet_index import IndexColumns, read_parquet_index
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import Snapshot, write_snapshot
from laketag.schemas import ImageIndex


@dataclass(frozen=True)
class IndexSummary:
    """A new snapshot of a collection: how many images it has, and the files that were left out, by extension."""

    collection: str
    snapshot: Snapshot
    images: int
    with_class: int  # images with a true class
    left_out: Counter[str]


def index_images(lake: Lake, source: str, collection: str, *, class_from_folder: bool) -> IndexSummary:
    """A new snapshot of the collection holds every image below a folder or an ``s3://`` prefix."""
    listing = ImageListing(source, lake.storage)
    return _write(
        lake, collection, (_index_rows(frame, class_from_folder) for frame in listing), listing.left_out
    )


def index_parquet(lake: Lake, source: str, collection: str, columns: IndexColumns) -> IndexSummary:
    """A new snapshot of the collection holds every row of a Parquet index, whose ids must be unique."""
    rows = _refuse_duplicates(read_parquet_index(source, columns, lake.storage), source)
    return _write(lake, collection, rows, Counter())


def _write(
    lake: Lake, collection: str, batches: Iterator[pl.DataFrame], left_out: Counter[str]
) -> IndexSummary:
    """The batches are a snapshot; ``left_out`` may still be counted while they are read."""
    counts: Counter[str] = Counter()

    def counted() -> Iterator[pl.DataFrame]:
        for batch in batches:
            counts["images"] += batch.height
            counts["with_class"] += batch.height - batch["true_class"].null_count()
            yield batch

    snapshot = write_snapshot(lake, collection, counted())
    return IndexSummary(collection, snapshot, counts["images"], counts["with_class"], left_out)


def _index_rows(listed: pl.DataFrame, class_from_folder: bool) -> pl.DataFrame:
    """Listed images as rows of schemas.ImageIndex; the class is the name of the folder that an image lies in."""
    folders = listed["path"].str.split("/").list.get(-2, null_on_oob=True)
    return listed.with_columns(
        image_id=pl.Series([image_id(uri) for uri in listed["uri"]], dtype=pl.String),
        true_class=folders if class_from_folder else pl.lit(None, pl.String),
    ).select(ImageIndex.column_names())


def _refuse_duplicates(batches: Iterator[pl.DataFrame], source: str) -> Iterator[pl.DataFrame]:
    """The batches, or an InputError that names ids which come twice."""
    seen: set[bytes] = set()
    for batch in batches:
        ids = [image_id(value).encode()[:24] for value in batch["image_id"]]  # short and of one length
        twice = [value for value, key in zip(batch["image_id"], ids, strict=True) if key in seen]
        twice += batch["image_id"].filter(batch["image_id"].is_duplicated()).unique().to_list()
        if twice:
            rows = batch.filter(pl.col("image_id").is_in(twice[:3]))["uri"].to_list()
            raise InputError(
                f"{source}: {len(twice)} image(s) stand twice in the index, such as {', '.join(rows[:3])}; "
                "give each image one row, or name a column of unique ids with --id-column"
            )
        seen.update(ids)
        yield batch
