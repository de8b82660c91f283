"""Indexing: a folder, a prefix or a Parquet index in, an index snapshot out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.listing import ImageListing, image_id
from laketag.pipeline.images.parquet_index import IndexColumns, read_parquet_index
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import Snapshot, write_snapshot
from laketag.schemas import ImageIndex


@dataclass
class IndexSummary:
    """What was indexed: images, those with a class, and the files left out by extension."""

    images: int = 0
    with_class: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def index_images(
    lake: Lake, source: str, collection: str, *, class_from_folder: bool
) -> tuple[Snapshot, IndexSummary]:
    """A new snapshot of the collection holds every image below a folder or an ``s3://`` prefix."""
    images, summary = ImageListing(source, lake.storage), IndexSummary()
    rows = (_index_rows(frame, class_from_folder) for frame in images)
    snapshot = write_snapshot(lake, collection, _counted(rows, summary))
    summary.left_out = images.left_out
    return snapshot, summary


def index_parquet(
    lake: Lake, source: str, collection: str, columns: IndexColumns
) -> tuple[Snapshot, IndexSummary]:
    """A new snapshot of the collection holds every row of a Parquet index, whose ids must be unique."""
    summary = IndexSummary()
    rows = _refuse_duplicates(read_parquet_index(source, columns, lake.storage), source)
    return write_snapshot(lake, collection, _counted(rows, summary)), summary


def _index_rows(listed: pl.DataFrame, class_from_folder: bool) -> pl.DataFrame:
    """Listed images as rows of schemas.ImageIndex; the class is the name of the folder that an image lies in."""
    folders = listed["path"].str.split("/").list.get(-2, null_on_oob=True)
    return listed.with_columns(
        image_id=pl.Series([image_id(uri) for uri in listed["uri"]], dtype=pl.String),
        true_class=folders if class_from_folder else pl.lit(None, pl.String),
    ).select(ImageIndex.column_names())


def _counted(batches: Iterator[pl.DataFrame], summary: IndexSummary) -> Iterator[pl.DataFrame]:
    for batch in batches:
        summary.images += batch.height
        summary.with_class += batch.height - batch["true_class"].null_count()
        yield batch


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
