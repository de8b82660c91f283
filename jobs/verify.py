"""``laketag verify``: check that the tables of a lake add up."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from laketag.jobs.console import open_screen, write_json
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.verify_lake import VerifyReport
    from laketag.pipeline.screen import Screen

SHOWN_FAULTS = 20


def verify(
    root: str,
    *,
    as_json: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "VerifyReport":
    """Check that the tables of a lake add up; ends with 7 if they do not.

    Reads every file. Each row that a run counts must be there once, in files whose rows, columns and checksums are those
    that the run's row says, and no other file may be among them; what runs found done must be done. Nothing is written,
    and labelling may go on meanwhile.
    """
    screen = open_screen(console, as_json=as_json)
    chosen = read_settings(settings, override)

    from laketag.pipeline.flows.verify_lake import verify_lake
    from laketag.pipeline.lake.paths import open_lake

    report = verify_lake(open_lake(root, chosen.storage), screen)
    show_verified(report, screen)
    if as_json:
        write_json(report.as_json())
    return report


def show_verified(report: "VerifyReport", screen: "Screen") -> None:
    """The counts, and the first faults, are printed."""
    found = report.verified
    screen.say(
        f"runs {found.runs:,} · label files {found.label_files:,} · rows {found.rows:,} · snapshots {found.snapshots:,}"
        + (f" · kept files {found.kept_files:,}" if found.kept_files else "")
    )
    if found.left_over:
        screen.say(
            f"files and snapshots that are unfinished, or no longer needed: {found.left_over:,}; 'laketag clean' removes what "
            "nobody will need"
        )
    if found.without_snapshot:
        screen.say(
            f"runs whose snapshot 'laketag clean' has removed: {found.without_snapshot:,}; their labels were checked, and what "
            "they say about their index cannot be any more"
        )
    for fault in found.faults[:SHOWN_FAULTS]:
        screen.say(f"{fault.where}: {fault.what}", "red", whole=fault.where)
    if len(found.faults) > SHOWN_FAULTS:
        screen.say(f"and {len(found.faults) - SHOWN_FAULTS:,} more; --json lists all")
    screen.say(f"faults: {len(found.faults):,}" if found.faults else "everything adds up")
