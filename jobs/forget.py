"""``laketag forget``: remove the rows of named images from all tables, and keep them out of later indexes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from laketag.jobs.console import open_screen
from laketag.jobs.options import SHARED, flag, option
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.forget_images import ForgetReport

OPTIONS = SHARED | {
    "uri_prefix": option(
        str,
        "--uri-prefix",
        metavar="PREFIX",
        help="Images whose URIs begin with this; end it with / to name a folder.",
    ),
    "list_file": option(
        str, "--list", metavar="FILE", help="Images whose URIs, paths or ids are the lines of this text file."
    ),
    "collection": option(str, "--collection", "-c", metavar="NAME", help="Only of this collection."),
    "dry_run": flag("--dry-run", help="Print what would be forgotten; write nothing."),
    "yes": flag("--yes", "-y", help="Do not ask."),
    "unforget": flag(
        "--unforget", help="Let later indexes take these images again; a prefix as it was given then."
    ),
}


def forget(
    root: str,
    *,
    uri_prefix: str | None = None,
    list_file: str | None = None,
    collection: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
    unforget: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "ForgetReport | None":
    """Remove the rows of named images from all tables, and leave these images out of later indexes.

    The rows are removed for good, also from old snapshots, replaced labels and unfinished runs; queries that are reading
    these files may fail. The images themselves are not touched. Of what is forgotten, only hashes are kept. If the
    command is interrupted, run it again. It does not run beside laketag label.
    """
    from laketag.pipeline.flows.forget_images import ForgetRequest, find_named, forget_images, unforget_images
    from laketag.pipeline.images.index_uris import absolute_prefix
    from laketag.pipeline.images.path_list import read_names
    from laketag.pipeline.lake.paths import open_lake

    screen = open_screen(console)
    read = read_settings(settings, override)
    lake = open_lake(root, read.storage)
    if (uri_prefix is None) == (list_file is None):
        raise SettingsError("name the images either with --uri-prefix PREFIX or with --list FILE")
    request = ForgetRequest(
        prefix=None if uri_prefix is None else absolute_prefix(uri_prefix),
        names={uri: line for line, uri in read_names(list_file, read.source_storage)} if list_file else {},
        collection=collection,
    )
    if unforget:
        images = unforget_images(lake, request, screen.say)
        screen.say(f"{images:,} image{'' if images == 1 else 's'} may be indexed again")
        return None
    found = find_named(lake, request)
    show_report(found, screen)
    if dry_run:
        return found
    if console is not None and not yes and found.found.images and not _is_agreed(root):
        screen.say("nothing was removed")
        return found
    report = forget_images(lake, request, screen.say)
    show_report(report, screen)
    return report


def _is_agreed(root: str) -> bool:
    """Whether a person agrees; a SettingsError where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise SettingsError(
            "forget removes rows for good, and nobody can be asked here; add --yes, or --dry-run"
        )
    return typer.confirm(f"Remove their rows from all tables of {root} for good?")


def show_report(report: "ForgetReport", screen: Screen) -> None:
    """Print which images are named, or how many rows were removed."""
    if not report.dry_run:
        rows = ", ".join(f"{rows:,} from {table}" for table, rows in sorted(report.removed.items()))
        screen.say(f"rows removed: {rows or 'none'}", "green")
        return
    found = report.found
    if not found.images:
        screen.say("no table holds a row of an image that is named", "yellow")
    for collection, images in found.images.items():
        screen.say(f"collection {collection}: {images:,} image{'' if images == 1 else 's'} named", "bold")
    for uri in found.examples:
        screen.say(f"such as {uri}", whole=uri)
    if found.unknown:
        screen.say(
            f"{found.unknown:,} more named by the list are in no table; indexes will leave them out", "yellow"
        )
