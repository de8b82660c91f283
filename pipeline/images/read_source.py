"""The images of a source of any kind, as rows of an index."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from laketag.pipeline.images.findings import Findings
from laketag.pipeline.images.index_columns import IndexColumns
from laketag.pipeline.images.index_uris import ImageAccess, count_unreadable
from laketag.pipeline.images.inventory import list_inventory, read_manifest
from laketag.pipeline.images.layout_names import LayoutName
from laketag.pipeline.images.layouts import LayoutSource, read_layout
from laketag.pipeline.images.listing import ImageListing, ListingRules, image_id
from laketag.pipeline.images.path_list import look_up_images, read_path_list
from laketag.pipeline.images.sources import Kind
from laketag.pipeline.images.table_index import read_table_index
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.schemes import SCHEMES, normalise_url
from laketag.schemas import ImageIndex


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where images are found, and how."""

    url: str
    """A folder or prefix, an image, a list, a table, or the manifest of an inventory."""
    kind: Kind = "folder"
    rules: ListingRules = field(default_factory=ListingRules)
    """What counts as an image, in folders and inventories."""
    columns: IndexColumns = field(default_factory=IndexColumns)
    """Of a table."""
    class_from_folder: bool = False  # an image's folder is its true class; not for tables
    layout: LayoutName | None = None
    """One of layouts.LAYOUTS, which tells which images of a folder belong to the source, and their true classes."""


def read_source(source: Source, access: ImageAccess, findings: Findings) -> Iterator[pl.DataFrame]:
    """The rows of schemas.ImageIndex; meanwhile the findings fill."""
    if source.kind == "table":
        return read_table_index(source.url, source.columns, access, findings)
    files = _find_files(source, access, findings)
    return (_to_index_rows(_with_class(batch, source.class_from_folder)) for batch in files)


def _find_files(source: Source, access: ImageAccess, findings: Findings) -> Iterator[pl.DataFrame]:
    """The images in the columns of a listing, which tells their versions too."""
    if source.kind == "image":
        yield look_up_images([normalise_url(source.url)], access, findings)
    elif source.kind == "list":
        yield from read_path_list(source.url, access, findings)
    else:
        is_asked = access.allowed_roots or not access.local_images
        is_asked = is_asked or parse_url(normalise_url(source.url)).scheme not in SCHEMES
        for batch in _list(source, access, findings):
            if is_asked:  # otherwise all that is listed can be read
                count_unreadable(batch["uri"].to_list(), access, findings)
            yield batch


def _list(source: Source, access: ImageAccess, findings: Findings) -> Iterable[pl.DataFrame]:
    storage = access.storage
    if source.layout:
        layout = LayoutSource(url=source.url, layout=source.layout, exclude=source.rules.exclude)
        return read_layout(layout, storage, findings)
    if source.kind == "folder":
        return ImageListing(source.url, storage, source.rules, findings.left_out)
    inventory = read_manifest(source.url, storage)
    findings.add_columns(f"the S3 Inventory of {inventory.bucket} names the images and their versions")
    pages = list_inventory(inventory, storage, findings.left_out)
    return ImageListing(f"s3://{inventory.bucket}", storage, source.rules, findings.left_out, pages)


def _with_class(files: pl.DataFrame, class_from_folder: bool) -> pl.DataFrame:
    """The files with the true class that a layout has given them, or else the name of their folder, or none."""
    if "true_class" in files.columns:
        return files
    folders = files["path"].str.split("/").list.get(-2, null_on_oob=True)
    return files.with_columns(true_class=folders if class_from_folder else pl.lit(None, pl.String))


def _to_index_rows(files: pl.DataFrame) -> pl.DataFrame:
    """Listed files as rows of the index."""
    return files.with_columns(
        image_id=pl.Series([image_id(uri) for uri in files["uri"]], dtype=pl.String),
        carried=pl.lit(None, pl.Boolean),
    ).select(ImageIndex.column_names())
