"""``laketag index``: write an index snapshot of a collection."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from laketag.jobs.console import open_console
from laketag.jobs.options import Collection, Overrides, Root, SettingsFile
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.index_images import IndexSummary, index_images, index_parquet
from laketag.pipeline.images.parquet_index import IndexColumns
from laketag.pipeline.lake.paths import checked_name, open_lake
from laketag.pipeline.lake.snapshots import Snapshot
from laketag.pipeline.settings_file import read_settings

Source = Annotated[
    str,
    typer.Argument(
        help="A folder, an s3:// prefix, or a Parquet index (a .parquet file, or --parquet).",
        show_default=False,
    ),
]


def _column(option: str, what: str) -> Any:
    return typer.Option(
        f"--{option}-column", metavar="NAME", help=f"Parquet index: the column of {what}.", show_default=False
    )


def index(
    source: Source,
    root: Root,
    collection: Collection,
    class_from_folder: Annotated[
        bool, typer.Option("--class-from-folder", help="The folder that an image lies in is its true class.")
    ] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="The folder or prefix holds a Parquet index.")
    ] = False,
    uri_column: Annotated[str | None, _column("uri", "URIs")] = None,
    id_column: Annotated[str | None, _column("id", "unique ids; else ids are made from URIs")] = None,
    etag_column: Annotated[
        str | None, _column("etag", "the store's own ETags (s3:// only); else the store is asked for each")
    ] = None,
    class_column: Annotated[str | None, _column("class", "true classes")] = None,
    image_column: Annotated[
        str | None, _column("image", "embedded image bytes, or of a struct with a field bytes")
    ] = None,
    settings: SettingsFile = None,
    override: Overrides = None,
) -> None:
    """Write a snapshot of which images a collection holds, and in which versions.

    Label reads the newest snapshot; index again when images have come, gone or changed. Only names and versions are
    read, not the images. Files that are no images by extension are left out and counted.
    """
    chosen = read_settings(settings, override or ())
    lake = open_lake(root, chosen.storage)
    checked_name(collection, "collection")
    columns = IndexColumns(
        uri=uri_column, id=id_column, etag=etag_column, true_class=class_column, image=image_column
    )
    is_table = parquet or source.rstrip("/").endswith(".parquet")
    if any(vars(columns).values()) and not is_table:
        raise SettingsError(
            f"{source} is no .parquet file, and the --…-column options are for those; add --parquet, or leave them out"
        )
    if is_table and class_from_folder:
        raise SettingsError(
            "--class-from-folder is for folders of images; name the column of classes with --class-column"
        )
    if is_table:
        snapshot, summary = index_parquet(lake, source, collection, columns)
    else:
        snapshot, summary = index_images(lake, source, collection, class_from_folder=class_from_folder)
    show_summary(snapshot, summary, collection, open_console())


def show_summary(snapshot: Snapshot, summary: IndexSummary, collection: str, console: Console) -> None:
    """Print what was indexed and what was left out."""
    console.print(f"collection {collection}, snapshot {snapshot.name}", style="bold")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("images", f"{summary.images:,}", style="green")
    if summary.with_class:
        table.add_row("  with a true class", f"{summary.with_class:,}")
    for extension, files in summary.left_out.most_common(10):
        table.add_row(f"left out, {extension}", f"{files:,}", style="yellow")
    if more := sum(files for _, files in summary.left_out.most_common()[10:]):
        table.add_row("left out, other extensions", f"{more:,}", style="yellow")
    console.print(table)
    if not summary.images:
        console.print(
            "no image was found; does the source hold a Parquet index? Then add --parquet", style="yellow"
        )
