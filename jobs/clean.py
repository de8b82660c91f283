"""``laketag clean``: remove what nobody can need any more."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.filesize import decimal

from laketag.jobs.console import open_screen, write_json
from laketag.jobs.options import SHARED, flag, value
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.clean_lake import CleanReport
    from laketag.pipeline.screen import Screen

OPTIONS = SHARED | {
    "keep_days": value(
        float,
        "--keep-days",
        metavar="N",
        help="Keep what is younger than this many days, although nobody needs it.",
    ),
    "keep_runs": value(
        int,
        "--keep-runs",
        metavar="N",
        help="Keep the newest N runs of each collection and set, however old.",
    ),
    "dry_run": flag("--dry-run", help="Print what would be removed; remove nothing."),
    "yes": flag("--yes", "-y", help="Do not ask on a terminal."),
}


def clean(
    root: str,
    *,
    keep_days: float = 30.0,
    keep_runs: int = 10,
    dry_run: bool = False,
    yes: bool = False,
    as_json: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "CleanReport":
    """Remove what nobody can need: abandoned runs, old snapshots, and label files that were replaced.

    An earlier classifier goes with its runs and labels when all of them are older than --keep-days and none is among the
    newest --keep-runs; the labels of the current one stay. A snapshot of the index stays as long as one of its runs is
    that young. What a running process uses is never removed. On a terminal it shows what it would remove and asks first.
    """
    if keep_days < 0 or keep_runs < 0:
        raise SettingsError(f"--keep-days {keep_days:g} --keep-runs {keep_runs}: give numbers from 0")
    asks = console is not None and console.is_terminal and sys.stdin.isatty() and not yes
    screen = open_screen(console, as_json=as_json)
    chosen = read_settings(settings, override)

    from laketag.pipeline.flows.clean_lake import clean_lake
    from laketag.pipeline.lake.garbage import Retention
    from laketag.pipeline.lake.paths import open_lake

    def is_agreed(report: "CleanReport") -> bool:
        show_garbage(report, screen)
        return not dry_run and (not asks or typer.confirm("Remove them?"))

    retention = Retention(keep_days, keep_runs)
    report = clean_lake(open_lake(root, chosen.storage), retention, screen, is_agreed)
    if report.garbage.is_empty:
        screen.say("nothing to remove")
    else:
        total = f"{sum(report.files.values()):,} files, {decimal(sum(report.size_bytes.values()))}"
        screen.say(f"removed: {total}" if report.removed else f"nothing was removed; would remove: {total}")
    if as_json:
        write_json(report.as_json())
    return report


def show_garbage(report: "CleanReport", screen: "Screen") -> None:
    """What can be removed is printed, a line for each kind."""
    if report.garbage.run_ids:
        screen.say(f"{len(report.garbage.run_ids):,} old runs of earlier classifiers")
    for kind, files in report.files.items():
        screen.say(f"{kind}: {files:,} files, {decimal(report.size_bytes[kind])}")
