"""``laketag index``: write an index snapshot of a collection."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from laketag.jobs.console import literal_console
from laketag.jobs.options import SHARED
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.index_images import IndexSummary

SHOWN_REASONS = 10
"""Left-out files are counted for the most frequent reasons; the others are added up."""
SHOWN_FOLDERS = 10


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
    "exclude": Annotated[
        list[str],
        typer.Option(
            "--exclude",
            metavar="GLOB",
            help="Leave out files and folders of this name, or with a slash in it, this path; may be repeated.",
            show_default=False,
        ),
    ],
    "by_content": Annotated[
        bool | None,
        typer.Option(
            "--by-content/--by-extension",
            help="Recognise images without an extension of images by their first bytes: in folders the default, in a "
            "store a request for each such file.",
            show_default=False,
        ),
    ],
    "show_left_out": Annotated[bool, typer.Option("--show-left-out", help="List what is left out, and why.")],
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
    exclude: Sequence[str] = (),
    by_content: bool | None = None,
    show_left_out: bool = False,
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
    versions are read, and first bytes where an extension does not tell (`--by-content`). Files that are no images, hidden
    ones, folders of systems (`@eaDir`, `#recycle`, `__MACOSX` and the like) and `--exclude` are left out and counted.
    """
    from laketag.pipeline.flows.index_images import IndexRequest, index_images
    from laketag.pipeline.images.index_columns import IndexColumns
    from laketag.pipeline.images.listing import ListingRules
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
    if is_table and (exclude or by_content is not None or show_left_out):
        raise SettingsError(
            "--exclude, --by-content, --by-extension and --show-left-out are for folders of images; leave them out"
        )
    console = literal_console(console)
    request = IndexRequest(
        source=source,
        collection=collection,
        class_from_folder=class_from_folder,
        rules=ListingRules(exclude=tuple(exclude), by_content=by_content),
        columns=columns if is_table else None,
    )
    summary = index_images(lake, request, partial(_show_left_out, console) if show_left_out else None)
    show_summary(summary, console)
    return summary


def _show_left_out(console: Console, path: str, reason: str) -> None:
    console.print(f"left out, {reason}: {path}", soft_wrap=True, markup=False, highlight=False)


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
    for reason, files in left_out[:SHOWN_REASONS]:
        table.add_row(f"left out, {reason}", f"{files:,}", style="yellow")
    if more := sum(files for _, files in left_out[SHOWN_REASONS:]):
        table.add_row("left out, other reasons", f"{more:,}", style="yellow")
    console.print(table)
    for folder in summary.unreadable[:SHOWN_FOLDERS]:
        console.print(f"folder not readable: {folder}", style="yellow", markup=False, highlight=False)
    for glob in summary.unmatched:
        console.print(
            f"--exclude {glob} matched no file or folder", style="yellow", markup=False, highlight=False
        )
    if not summary.images:
        console.print(
            "no image was found; if the source holds a Parquet index, add --parquet; if it is in a store and its images "
            "have no extension, add --by-content",
            style="yellow",
        )
