"""``laketag compact``: merge the small files of many runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from laketag.jobs.console import open_screen, write_json
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.compact_lake import CompactReport


def compact(
    root: str,
    *,
    as_json: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "CompactReport":
    """Merge the small label files of many runs into few, and the rows of all runs into one file.

    Queries find the same rows as before, and read fewer files. Labelling and queries may go on meanwhile. The files that
    were replaced stay for queries that are reading them; 'laketag clean' removes them later.
    """
    screen = open_screen(console, as_json=as_json)
    chosen = read_settings(settings, override)

    from laketag.pipeline.flows.compact_lake import compact_lake
    from laketag.pipeline.lake.paths import open_lake

    report = compact_lake(open_lake(root, chosen.storage), screen)
    screen.say(
        f"runs {report.runs:,} · files of runs {report.run_files_before:,} → {report.run_files:,} · "
        f"label files {report.label_files_before:,} → {report.label_files:,}"
        + (
            f" · files of decisions {report.decision_files_before:,} → {report.decision_files:,}"
            if report.decision_files
            else ""
        )
    )
    if as_json:
        write_json(report.as_json())
    return report
