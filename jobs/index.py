"""``laketag index``: write an index snapshot of a collection."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from laketag.jobs.options import SHARED
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.index_images import IndexSummary

SHOWN_EXTENSIONS = 10
"""Left-out files are listed for the most frequent extensions; the others are added up."""


def _column(option: str, what: str) -> Any:
    described = f"Parquet index: the column of {what}."
    return Annotated[
        str | None,
        typer.Option(f"--{option}-column", metavar="NAME", help=described, show_default=False),
    ]


OPTIONS = SHARED | {
    "source": Annotated[
        str,
        typer.Argument(
            help="A folder, an s3:// prefix, or a Parquet index (a .parquet file, or --parquet).",
            show_default=False,
        ),
    ],
    "class_from_folder": Annotated[
        bool, typer.Option("--class-from-folder", help="The folder that an image is in is its true class.")
    ],
    "parquet": Annotated[bool, typer.Option("--parquet", help="The folder or prefix holds a Parquet index.")],
    "uri_column": _column("uri", "URIs"),
    "id_column": _column("id", "unique ids; else ids are made from URIs"),
    "etag_column": _column(
        "etag", "the store's own ETags (s3:// only); else each is requested from the store"
    ),
    "class_column": _column("class", "true classes"),
    "image_column": _column("image", "embedded image bytes, or of a struct with a field bytes"),
}


def index(
    source: str,
    root: str,
    collection: str,
    *,
    class_from_folder: bool = False,
    parquet: bool = False,
    uri_column: str | None = None,
    id_column: str | None = None,
    etag_column: str | None = None,
    class_column: str | None = None,
    image_column: str | None = None,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "IndexSummary":
    """Write a snapshot of which images a collection holds, and in which versions.

    `label` reads the newest snapshot; index again when images were added, removed or changed. Only names and
    versions are read, not the images. Files whose extension is not that of an image are left out and counted.
    """
    from laketag.pipeline.flows.index_images import IndexRequest, index_images
    from laketag.pipeline.images.index_columns import IndexColumns
    from laketag.pipeline.lake.paths import checked_name, open_lake

    lake = open_lake(root, read_settings(settings, override).storage)
    checked_name(collection, "collection")
    columns = IndexColumns(
        uri=uri_column, id=id_column, etag=etag_column, true_class=class_column, image=image_column
    )
    is_table = parquet or source.rstrip("/").endswith(".parquet")
    if any(vars(columns).values()) and not is_table:
        raise SettingsError(
            f"{source} is not a .parquet file, and only those take the --…-column options; "
            "add --parquet, or leave the options out"
        )
    if is_table and class_from_folder:
        raise SettingsError(
            "--class-from-folder is for folders of images; name the column of classes with --class-column"
        )
    request = IndexRequest(
        source=source,
        collection=collection,
        class_from_folder=class_from_folder,
        columns=columns if is_table else None,
    )
    summary = index_images(lake, request)
    show_summary(summary, console or Console(quiet=True))
    return summary


def show_summary(summary: "IndexSummary", console: Console) -> None:
    """Print what was indexed and what was left out."""
    console.print(f"collection {summary.collection}, snapshot {summary.snapshot.name}", style="bold")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("images", f"{summary.images:,}", style="green")
    if summary.with_class:
        table.add_row("  with a true class", f"{summary.with_class:,}")
    left_out = summary.left_out.most_common()
    for extension, files in left_out[:SHOWN_EXTENSIONS]:
        table.add_row(f"left out, {extension}", f"{files:,}", style="yellow")
    if more := sum(files for _, files in left_out[SHOWN_EXTENSIONS:]):
        table.add_row("left out, other extensions", f"{more:,}", style="yellow")
    console.print(table)
    if not summary.images:
        console.print(
            "no image was found; if the source holds a Parquet index, add --parquet", style="yellow"
        )
