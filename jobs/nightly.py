"""``laketag nightly``: everything that a night has to do, for all collections of a file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from laketag.jobs.console import open_screen, write_json, write_out
from laketag.jobs.label import checked_hours
from laketag.jobs.label_summary import show_report, show_unfinished
from laketag.jobs.options import SHARED, argument, flag, option, value
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import LaketagError, SettingsError, describe_ending
from laketag.pipeline.screen import Screen

if TYPE_CHECKING:
    from laketag.pipeline.flows.describe_classes import DescribedSet
    from laketag.pipeline.flows.index_images import IndexSummary
    from laketag.pipeline.flows.label_report import LabelReport
    from laketag.pipeline.flows.night_report import CollectionNight, NightReport
    from laketag.pipeline.flows.preview_night import NightPreview
    from laketag.pipeline.flows.verify_lake import VerifyReport
    from laketag.pipeline.lake.paths import Lake

OPTIONS = SHARED | {
    "night": argument(
        str,
        "TOML file with the settings, root, and a [[collection]] block for each collection.",
        metavar="NIGHT.toml",
    ),
    "root": option(str, "--root", metavar="LAKE", help="Instead of the file's root."),
    "wait": value(
        float,
        "--wait",
        metavar="MINUTES",
        help="How long to wait for another process that labels the same images.",
    ),
    "accept_gone": flag("--accept-gone", help="Write the indexes even if too many images are gone."),
    "dry_run": flag("--dry-run", help="Print what would be done and how long it takes; write nothing."),
    "report": option(
        str,
        "--report",
        metavar="FOLDER",
        help="Also write a page for each collection that was labelled: FOLDER/COLLECTION-SET.html; see laketag report.",
    ),
    "as_json": flag(
        "--json", help="Print one JSON object for each collection, and all else on standard error."
    ),
}
DESCRIBED = {
    "new": "the description set does not exist yet; it would be written, and every image labelled with it",
    "changed": "the descriptions have changed, so every image would be labelled again",
    "restored": "the descriptions are those of an earlier version again; images that were labelled with them keep those labels",
}
"""What a dry run says of descriptions that the set's newest version does not have."""


def nightly(
    night: str,
    *,
    root: str | None = None,
    wait: float = 10.0,
    max_hours: float | None = None,
    accept_gone: bool = False,
    dry_run: bool = False,
    report: str | None = None,
    as_json: bool = False,
    verbose: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "NightReport":
    """Do everything for all collections of a file; a second call on an unchanged lake does nothing.

    Each collection is indexed, described, labelled and published, and the new runs are verified. A [[collection]] block has
    source, collection and set; descriptions names the file of the classes. It also takes the options of index and describe,
    such as exclude = ["*.tmp"], and retry. The settings are tables of the same file, or of --settings. Relative paths are
    relative to the file. An error of one collection does not stop the others; the command ends with the worst exit code.
    """
    screen = open_screen(console, verbose=verbose, as_json=as_json)
    try:
        if not 0 <= wait < float("inf"):
            raise SettingsError(f"--wait {wait:g}: give a number of minutes from 0")
        from laketag.pipeline.flows.night_file import read_night

        read = read_night(night, override, settings=settings, root=root)
        hours = checked_hours(max_hours)

        from laketag.pipeline.cluster.work_stop import WorkStop
        from laketag.pipeline.flows.nightly import NightRequest, run_night
        from laketag.pipeline.lake.paths import open_lake

        lake = open_lake(str(read.root), read.storage)
    except LaketagError as error:
        if as_json:
            write_json(describe_ending("nightly", error))
        raise
    request = NightRequest(
        collections=read.collection,
        settings=read.settings,
        stop=WorkStop.after(hours),
        wait_s=wait * 60,
        accept_gone=accept_gone,
        dry_run=dry_run,
    )
    done = run_night(lake, request, screen, Shown(lake.root, screen, as_json))
    if report is not None:
        write_pages(lake, done, report, read.settings, screen)
    show_end(done, screen)
    return done


def write_pages(lake: "Lake", done: "NightReport", folder: str, settings: Settings, screen: Screen) -> None:
    """The folder, or the prefix of a store, has the page of each collection that was labelled; an error is printed."""
    from laketag.jobs.report import write_page
    from laketag.pipeline.flows.report_facts import ReportRequest
    from laketag.pipeline.flows.report_run import report_run

    for one in done.collections:
        if one.labelled is None or not one.labelled.has_labels:
            continue
        request = ReportRequest(collection=one.collection, description_set=one.description_set)
        url = f"{folder.rstrip('/')}/{one.collection}-{one.description_set}.html"
        try:
            write_page(report_run(lake, request, settings, screen), url, settings, screen)
        except LaketagError as error:  # the labels are published, and laketag report writes the page later
            screen.error(f"no report on collection {one.collection}: {error}")


class Shown:
    """Prints what the steps of a night give, and with ``as_json`` a line for each collection."""

    def __init__(self, root: str, screen: Screen, as_json: bool) -> None:
        self._root, self._screen, self._as_json = root, screen, as_json

    def __call__(
        self,
        given: "IndexSummary | DescribedSet | LabelReport | CollectionNight | VerifyReport | NightReport",
    ) -> None:
        """Print it."""
        from laketag.jobs import describe, index, verify
        from laketag.pipeline.flows.describe_classes import DescribedSet
        from laketag.pipeline.flows.index_images import IndexSummary
        from laketag.pipeline.flows.label_report import LabelReport
        from laketag.pipeline.flows.night_report import CollectionNight
        from laketag.pipeline.flows.verify_lake import VerifyReport

        if isinstance(given, IndexSummary):
            index.show_summary(given, self._screen)
        elif isinstance(given, DescribedSet):
            describe.show_summary(given, self._screen)
        elif isinstance(given, LabelReport):
            show_report(given, self._root, self._screen)
        elif isinstance(given, VerifyReport):
            verify.show_verified(given, self._screen)
        elif isinstance(given, CollectionNight):
            self._show_end(given)
        elif self._as_json:
            write_out("".join(json.dumps(night.as_json()) + "\n" for night in given.collections))

    def _show_end(self, night: "CollectionNight") -> None:
        """Print how the collection ended, if not well."""
        screen, error = self._screen, night.failed_by
        if error:
            show_unfinished(night.progress, error, screen)
            said = night.trace or describe_ending("nightly", error)["error"]
            screen.error(f"collection {night.collection}: {said}")
        if night.preview:
            _show_preview(night.preview, screen)
        if night.is_over:
            screen.say(
                f"collection {night.collection}: the time is over; it is left for the next night", "yellow"
            )


def _show_preview(preview: "NightPreview", screen: Screen) -> None:
    """Print what a night would do with a collection."""
    changes = preview.index.changes
    screen.say(
        f"{preview.index.images:,} images in the source: {changes.new:,} new, {changes.changed:,} changed, {changes.gone:,} gone"
    )
    if preview.descriptions != "unchanged":
        screen.say(DESCRIBED[preview.descriptions], "yellow")
    time = preview.estimate or "no run with this method has measured how long that takes"
    screen.say(f"would be labelled: {preview.images:,} images" + (f", {time}" if preview.images else ""))


def show_end(report: "NightReport", screen: Screen) -> None:
    """Print how many collections ended well, and what is left."""
    if all(one.preview for one in report.collections):
        screen.say("nothing was written")
        return
    ended = len(report.collections)
    failed = [one for one in report.collections if one.exit_code]
    screen.say(f"night: {ended - len(failed)} of {ended} collections done", "bold")
    for one in failed:
        code = one.exit_code
        screen.say(
            f"  {one.collection}, set {one.description_set}: exit code {code.value}, {code.meaning}", "red"
        )
    if report.left:
        screen.say(f"{report.left:,} images left for the next night", "yellow")
