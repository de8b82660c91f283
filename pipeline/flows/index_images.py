"""An index snapshot: list or read → write."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.index_columns import IndexColumns
from laketag.pipeline.images.listing import ImageListing, LeftOut, ListingRules, OnLeftOut, image_id
from laketag.pipeline.images.parquet_index import read_parquet_index
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import Snapshot, write_snapshot
from laketag.schemas import ImageIndex

ID_KEY_BYTES = 24
"""Ids are compared by this much of their hash, so that the set of those seen stays small."""


@dataclass(frozen=True, kw_only=True)
class IndexRequest:
    """Which source becomes a snapshot of which collection."""

    source: str
    """A folder or ``s3://`` prefix of images, or with ``columns`` a Parquet index or a folder of its files."""
    collection: str
    class_from_folder: bool = False  # an image's folder is its true class
    rules: ListingRules = field(default_factory=ListingRules)
    """What counts as an image, below a folder or prefix."""
    columns: IndexColumns | None = None


@dataclass(frozen=True)
class IndexSummary:
    """A new snapshot of a collection: how many images it has, and how many files were left out for which reason."""

    collection: str
    snapshot: Snapshot
    images: int
    with_class: int  # images with a true class
    left_out: Counter[str]
    unreadable: Sequence[str] = ()
    """Folders that could not be read."""
    unmatched: Sequence[str] = ()
    """Globs of ``--exclude`` that matched no file or folder."""


def index_images(lake: Lake, request: IndexRequest, on_left_out: OnLeftOut | None = None) -> IndexSummary:
    """A new snapshot of the collection has a row (schemas.ImageIndex) for every image of the source."""
    counts = Counter[str]()
    left_out = LeftOut(on_left_out)
    rows: Iterator[pl.DataFrame]
    if request.columns is None:
        # list: file names in, rows out; a listing also tells the version of each image
        listing = ImageListing(request.source, lake.storage, request.rules, left_out)
        rows = (_to_index_rows(files, request.class_from_folder) for files in listing)
    else:
        # read: rows of the source's tables in, rows out; refused if an id comes twice
        read = read_parquet_index(request.source, request.columns, lake.storage)
        rows = _refuse_duplicates(read, request.source)
    # name: the same rows out; classes are written as description files name them
    rows = map(_normalise_classes, rows)
    # write: batches of rows in, the snapshot's files out
    snapshot = write_snapshot(lake, request.collection, _counted(rows, counts))
    return IndexSummary(
        collection=request.collection,
        snapshot=snapshot,
        images=counts["images"],
        with_class=counts["with_class"],
        left_out=left_out.files,
        unreadable=left_out.unreadable,
        unmatched=left_out.unmatched,
    )


def _counted(batches: Iterator[pl.DataFrame], counts: Counter[str]) -> Iterator[pl.DataFrame]:
    """The same batches; their rows are counted as they pass."""
    for batch in batches:
        counts["images"] += batch.height
        counts["with_class"] += batch.height - batch["true_class"].null_count()
        yield batch


def _to_index_rows(files: pl.DataFrame, class_from_folder: bool) -> pl.DataFrame:
    """Listed files as rows of the index; the true class is the name of the folder that holds the file."""
    folders = files["path"].str.split("/").list.get(-2, null_on_oob=True)
    return files.with_columns(
        image_id=pl.Series([image_id(uri) for uri in files["uri"]], dtype=pl.String),
        true_class=folders if class_from_folder else pl.lit(None, pl.String),
    ).select(ImageIndex.column_names())


def _normalise_classes(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with names of true classes in the form in which descriptions and labels have them."""
    names = {name: normalise_text(name) or None for name in rows["true_class"].drop_nulls().unique()}
    return rows.with_columns(pl.col("true_class").replace(names))


def _refuse_duplicates(batches: Iterator[pl.DataFrame], source: str) -> Iterator[pl.DataFrame]:
    """The same batches, or an InputError that names images whose id comes twice."""
    seen: set[bytes] = set()
    for batch in batches:
        keys = [image_id(value).encode()[:ID_KEY_BYTES] for value in batch["image_id"]]
        twice = [value for value, key in zip(batch["image_id"], keys, strict=True) if key in seen]
        twice += batch["image_id"].filter(batch["image_id"].is_duplicated()).unique().to_list()
        if twice:
            rows = batch.filter(pl.col("image_id").is_in(twice[:3]))["uri"].to_list()
            raise InputError(
                f"{source}: {len(twice)} image(s) are in the index twice, such as {', '.join(rows[:3])}; "
                "give each image one row, or name a column of unique ids with --id-column"
            )
        seen.update(keys)
        yield batch
