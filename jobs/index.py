"""``laketag index``: write an index snapshot of a collection."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from laketag.jobs.console import counts_table, open_screen
from laketag.jobs.options import SHARED, argument, flag, option
from laketag.pipeline.images.layout_names import LAYOUT_NAMES, LayoutName
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.index_images import IndexSummary

SHOWN_REASONS = 10
"""Left-out files are counted for the most frequent reasons; the others are added up."""
SHOWN_FOLDERS = 10
CHANGES = {
    "new": "new",
    "changed": "changed",
    "edited": "with another class or URI",
    "unseen": "named by the source, but not found any more",
    "gone": "gone",
}
"""How the fields of laketag.pipeline.lake.snapshot_changes.Changes are shown."""


def _column(name: str, what: str) -> Any:
    return option(str, f"--{name}-column", metavar="NAME", help=f"Table: the column of {what}.")


OPTIONS = SHARED | {
    "source": argument(
        str,
        "A folder of images, here or in a store (s3://bucket/folder), one image, a table (.parquet, .csv, or "
        "--parquet), a manifest.json of S3 Inventory, or a .txt list of paths.",
    ),
    "class_from_folder": flag(
        "--class-from-folder", help="The folder that an image is in is its true class; not for tables."
    ),
    "layout": option(
        LayoutName,
        "--layout",
        metavar="NAME",
        help="The folder is that of a benchmark, whose own files tell the images of its test split and their classes: "
        f"{', '.join(LAYOUT_NAMES[:-1])}; or {LAYOUT_NAMES[-1]}, with a folder for each class.",
    ),
    "exclude": option(
        list[str],
        "--exclude",
        metavar="GLOB",
        help="Leave out files and folders of this name, or with a slash in it, this path; may be repeated.",
    ),
    "by_content": option(
        bool,
        "--by-content/--by-extension",
        help="Recognise images without an extension of images by their first bytes: in folders the default, in a "
        "store a request for each such file.",
    ),
    "accept_gone": flag(
        "--accept-gone", help="Write the index even if more images are gone than index.max_gone_fraction."
    ),
    "show_left_out": flag("--show-left-out", help="List what is left out, and why."),
    "parquet": flag("--parquet", help="The source is a Parquet file or a folder of them."),
    "uri_column": _column("uri", "URIs"),
    "id_column": _column("id", "unique ids; else ids are made from URIs"),
    "etag_column": _column("etag", "the store's own ETags; else each is requested from the store"),
    "class_column": _column("class", "true classes"),
    "image_column": _column("image", "embedded image bytes, or of a struct with a field bytes"),
}


def index(
    source: str,
    root: str,
    collection: str,
    *,
    class_from_folder: bool = False,
    layout: LayoutName | None = None,
    exclude: Sequence[str] = (),
    by_content: bool | None = None,
    accept_gone: bool = False,
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
    """Write a snapshot of which images a collection holds, and in which versions, if anything changed.

    The command label reads the newest snapshot; index again when images were added, removed or changed. Only names and
    versions are read, and first bytes where an extension does not tell (--by-content). Files that are no images, hidden
    ones, folders of systems (@eaDir, #recycle, __MACOSX and the like) and --exclude are left out and counted.
    Images below folders that cannot be read now stay as they were in the last index, and if too many images would be
    gone, nothing is written (--accept-gone).
    Of tables, the columns are found by their names: bytes (image, jpg, content …) before bucket and key, and these
    before URIs (uri, url, path …).
    """
    from laketag.pipeline.flows.index_images import index_images
    from laketag.pipeline.flows.index_request import IndexOptions, make_request
    from laketag.pipeline.lake.paths import open_lake

    read = read_settings(settings, override)
    lake = open_lake(root, read.storage)
    options = IndexOptions(
        source=source,
        collection=collection,
        class_from_folder=class_from_folder,
        layout=layout,
        exclude=tuple(exclude),
        by_content=by_content,
        parquet=parquet,
        uri_column=uri_column,
        id_column=id_column,
        etag_column=etag_column,
        class_column=class_column,
        image_column=image_column,
    )
    request = make_request(options, read, accept_gone=accept_gone)
    screen = open_screen(console)
    screen.wait(f"reading {source}")
    summary = index_images(lake, request, partial(_show_left_out, screen) if show_left_out else None)
    show_summary(summary, screen)
    return summary


def _show_left_out(screen: Screen, path: str, reason: str) -> None:
    screen.say(f"left out, {reason}: {path}", whole=path)


def show_summary(summary: "IndexSummary", screen: Screen) -> None:
    """Print what was indexed, what has changed, what was left out, and what will not be read."""
    snapshot = summary.snapshot.name
    unchanged = "" if summary.is_new else "; nothing has changed, so no new one was written"
    screen.say(f"collection {summary.collection}, snapshot {snapshot}{unchanged}", "bold")
    for sentence in summary.columns:
        screen.say(sentence)
    table = counts_table()
    table.add_row("images", f"{summary.images:,}", style="green")
    for change, text in CHANGES.items():
        images = getattr(summary.changes, change)
        if images or change not in ("edited", "unseen"):
            table.add_row(f"  {text}", f"{images:,}")
    if summary.carried:
        table.add_row(
            "  carried over, as they could not be looked at", f"{summary.carried:,}", style="yellow"
        )
    if summary.with_class:
        table.add_row("  with a true class", f"{summary.with_class:,}")
    for reason, images in summary.unreadable.most_common():
        table.add_row(f"  cannot be read: {reason}", f"{images:,}", style="yellow")
    left_out = summary.left_out.most_common()
    for reason, files in left_out[:SHOWN_REASONS]:
        table.add_row(f"left out, {reason}", f"{files:,}", style="yellow")
    if more := sum(files for _, files in left_out[SHOWN_REASONS:]):
        table.add_row("left out, other reasons", f"{more:,}", style="yellow")
    screen.console.print(table)
    for folder in summary.unreadable_folders[:SHOWN_FOLDERS]:
        screen.say(f"folder not readable: {folder}", "yellow", whole=folder)
    for notice in summary.notices:
        screen.say(notice, "yellow")
    for glob in summary.unmatched:
        screen.say(f"--exclude {glob} matched no file or folder", "yellow")
