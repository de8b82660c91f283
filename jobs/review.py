"""``laketag review``: show people doubtful labels, and keep what they decide."""

import getpass
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from laketag.jobs.cli import on_terminal
from laketag.jobs.console import open_screen, write_json
from laketag.jobs.options import SHARED, argument, flag, option
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.review_request import REVIEW_ORDERS, ReviewOrder, ReviewRequest
from laketag.pipeline.review.formats import ReviewFormat, choose_format
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.review_in import ReviewInReport
    from laketag.pipeline.flows.review_out import ReviewOutReport

app = typer.Typer(help="Let people look at doubtful labels, and keep what they decide.", no_args_is_help=True)
MOST_HOURS = 168
"""Of a signed URL: the stores sign for no longer."""
OPTIONS = SHARED | {
    "collection": option(str, "--collection", "-c", metavar="NAME", help="The collection, if the lake has several."),
    "description_set": option(str, "--set", "-s", metavar="NAME", help="The description set, if there are several."),
    "by": option(
        ReviewOrder,
        "--by",
        help="Which labels first: margin (the default) and probability begin with the lowest, class takes each class in turn, "
        "disagreement those that the index or the classifier before contradicts, random a fixed sample.",
    ),
    "limit": option(int, "--limit", "-n", min=1, help="How many images at most; 100 by default."),
    "to": option(str, "--to", metavar="FILE", help="The file to write, ending in .csv or .json: a path, s3://… or az://…."),
    "format": option(ReviewFormat, "--format", help="The tool; a .json file is for Label Studio by default."),
    "signed_hours": option(
        float, "--signed-hours", help=f"Write signed URLs that are valid for so many hours, at most {MOST_HOURS}."
    ),
    "file": argument(str, "CSV, an export of Label Studio, or a dataset of FiftyOne."),
    "reviewer": option(str, "--reviewer", metavar="NAME", help="Who has decided, where the file does not say; by default you."),
    "leave_out": flag("--leave-out", help="Record the other decisions if some cannot be recorded."),
    "port": option(int, "--port", min=0, max=65535, help="The port on this machine; a free one by default."),
    "dry_run": flag("--dry-run", help="Check the file and count; write nothing."),
}  # fmt: skip


def review_out(
    root: str,
    *,
    to: str,
    collection: str | None = None,
    description_set: str | None = None,
    by: ReviewOrder | None = None,
    limit: int | None = None,
    format: ReviewFormat | None = None,
    signed_hours: float | None = None,
    as_json: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "ReviewOutReport":
    """Write labels that a person should look at, for a spreadsheet, Label Studio or FiftyOne.

    Images about which somebody has decided are left out. Fill the column or field decision, or annotate, and read the file
    back with laketag review in.
    """
    screen = open_screen(console, as_json=as_json)
    chosen_format = choose_format(to, format)
    request = ask(collection, description_set, by, limit, signed_hours)
    chosen = read_settings(settings, override)

    from laketag.pipeline.flows.review_out import review_out
    from laketag.pipeline.lake.paths import open_lake

    report = review_out(open_lake(root, chosen.storage), request, (to, chosen_format), chosen.source_storage)
    screen.say(
        f"{report.images:,} images of collection {report.collection}, set {report.description_set}, written to {report.files[0]}",
        whole=report.files[0],
    )
    for interface in report.files[1:]:
        screen.say(f"the labelling interface of the project: {interface}", whole=interface)
    if report.without_link:
        screen.say(
            f"{report.without_link:,} images inside tables were left out, as no link reaches them; laketag review serve shows "
            "them",
            "yellow",
        )
    if as_json:
        write_json(report.as_json())
    return report


def review_in(
    file: str,
    root: str,
    *,
    collection: str | None = None,
    description_set: str | None = None,
    reviewer: str | None = None,
    leave_out: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "ReviewInReport":
    """Read decisions back: a CSV with the column decision, an export of Label Studio, or a dataset of FiftyOne.

    All decisions of the file are recorded, or none if one of them contradicts another, names an unknown class, or is about
    an image that is not in the lake or has changed since. Read the same file again, and nothing happens.
    """
    screen = open_screen(console, as_json=as_json)
    chosen = read_settings(settings, override)

    from laketag.pipeline.flows.review_in import ReviewInRequest, review_in
    from laketag.pipeline.lake.paths import open_lake

    request = ReviewInRequest(
        file=file,
        collection=collection,
        description_set=description_set,
        decided_by=reviewer or name_reviewer(),
        leave_out=leave_out,
        dry_run=dry_run,
    )
    report = review_in(open_lake(root, chosen.storage), request, screen)
    screen.say(
        f"{report.decisions:,} decisions ({report.format}) about collection {report.collection}, set {report.description_set}: "
        f"{report.new:,} new, {report.changed:,} take the place of another, {report.known:,} known; "
        f"{report.undecided:,} images undecided" + ("" if not dry_run else "; nothing was written")
    )
    if as_json:
        write_json(report.as_json())
    return report


def review_serve(
    root: str,
    *,
    collection: str | None = None,
    description_set: str | None = None,
    by: ReviewOrder | None = None,
    limit: int | None = None,
    reviewer: str | None = None,
    port: int | None = None,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Show a page on this machine on which a person decides one image after another, with the keyboard.

    Keys 1 to 5 choose a class, 0 none of them, u takes the last decision back, s leaves an image for later, / names any class.
    Each decision is in the lake at once: whenever this ends, nothing is lost, and the next call goes on with the rest.
    """
    screen = open_screen(console)
    request = ask(collection, description_set, by, limit)
    chosen = read_settings(settings, override)

    from laketag.pipeline.flows.serve_review import serve_review
    from laketag.pipeline.lake.paths import open_lake
    from laketag.pipeline.pages.local_server import open_server

    server = open_server(port or 0)
    lake = open_lake(root, chosen.storage)
    serve_review(lake, request, chosen, (server, reviewer or name_reviewer(), screen))


def ask(
    collection: str | None,
    description_set: str | None,
    by: ReviewOrder | None,
    limit: int | None,
    signed_hours: float | None = None,
) -> ReviewRequest:
    """The request; a SettingsError if one of the options is impossible."""
    if by is not None and by not in REVIEW_ORDERS:
        raise SettingsError(f"--by {by} is unknown; choose one of {', '.join(REVIEW_ORDERS)}")
    if limit is not None and limit < 1:
        raise SettingsError(f"--limit {limit}: give a number of images from 1 on")
    if signed_hours is not None and not 0 < signed_hours <= MOST_HOURS:
        raise SettingsError(f"--signed-hours {signed_hours:g}: give a number above 0, up to {MOST_HOURS}")
    return ReviewRequest(
        collection=collection,
        description_set=description_set,
        by=by or "margin",
        limit=limit or 100,
        signed_for=None if signed_hours is None else timedelta(hours=signed_hours),
    )


def name_reviewer() -> str:
    """The login name of who runs this, if the system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without users
        return "unknown"


for _name, _function in (("out", review_out), ("in", review_in), ("serve", review_serve)):
    app.command(_name)(on_terminal(_function, OPTIONS))
