"""``laketag report``: a run at a glance, in one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from laketag.jobs.console import open_screen, write_json
from laketag.jobs.options import SHARED, flag, option
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from laketag.pipeline.flows.report_run import Report
    from laketag.pipeline.pages.page import Page

OPTIONS = SHARED | {
    "description_set": option(
        str, "--set", "-s", metavar="NAME", help="Description set; by default the one that labelled last."
    ),
    "run_id": option(str, "--run-id", metavar="RUN", help="Exactly the rows of this run."),
    "against": option(
        str,
        "--against",
        metavar="RUN",
        help="Run to compare with; by default the last one of another classifier.",
    ),
    "to": option(
        str, "--to", metavar="FILE", help="The file or URL to write, by default report-COLLECTION.html."
    ),
    "serve": flag("--serve", help="Also show it on this machine, at a URL that is printed, until Ctrl-C."),
}


def report(
    root: str,
    collection: str,
    *,
    description_set: str | None = None,
    run_id: str | None = None,
    against: str | None = None,
    to: str | None = None,
    serve: bool = False,
    as_json: bool = False,
    verbose: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "Report":
    """Write a page that shows a run: how it went, classes, images in doubt, what changed, and how labels came about.

    It is one file that holds everything, pictures included, and opens from disk without a network. Without --run-id it shows
    the current labels. Nothing in the lake is changed.
    """
    screen = open_screen(console, verbose=verbose, as_json=as_json)
    chosen = read_settings(settings, override)

    from laketag.pipeline.flows.report_facts import ReportRequest
    from laketag.pipeline.flows.report_run import report_run
    from laketag.pipeline.lake.paths import checked_name, open_lake

    request = ReportRequest(
        collection=checked_name(collection, "collection"),
        description_set=description_set and checked_name(description_set, "set"),
        run_id=run_id,
        against=against,
    )
    url = checked_file(to or f"report-{collection}.html")
    made = report_run(open_lake(root, chosen.storage), request, chosen, screen)
    write_page(made, url, chosen, screen)
    if as_json:
        write_json(
            {
                "file": url,
                "bytes": len(made.page.html),
                "labelled": made.labelled,
                "failed": made.failed,
                "pictures": made.pictures,
                "unreadable": made.unreadable,
                "stories": made.stories,
            }
        )
    if serve:
        serve_page(made.page, screen)
    return made


def write_page(made: "Report", url: str, settings: Settings, screen: Screen) -> None:
    """The page is the file at the URL, which is printed."""
    from laketag.pipeline.store.atomic_write import write_bytes
    from laketag.pipeline.store.schemes import normalise_url

    write_bytes(normalise_url(url), made.page.html, settings.storage)
    size = f"{made.pictures:,} pictures, {len(made.page.html) / 1e6:.1f} MB"
    screen.say(f"report: {url}, {size}; open it in a browser", whole=url)


def serve_page(page: "Page", screen: Screen) -> None:
    """The page was shown on loopback, to everybody who has its URL, until a signal stopped the process."""
    from laketag.pipeline.pages.local_server import open_server

    server = open_server()
    screen.say(f"report at {server.url} until Ctrl-C", whole=server.url)
    server.run(page_app(page))


def page_app(page: "Page") -> "Starlette":
    """An app that answers with the page and its policy, which no other page may frame."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    policy = {"content-security-policy": f"{page.policy}; frame-ancestors 'none'"}

    async def show(_: Request) -> HTMLResponse:
        return HTMLResponse(page.html, headers=policy)

    return Starlette(routes=[Route("/", show)])


def checked_file(name: str) -> str:
    """The name, if it is that of a page; else a SettingsError."""
    if not name.lower().endswith((".html", ".htm")):
        raise SettingsError(f"--to {name}: a report is a page for a browser; end its name in .html")
    return name
