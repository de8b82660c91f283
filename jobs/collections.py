"""``laketag collections``: the collections of a lake, and what to do next."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from laketag.jobs.console import open_screen, write_out
from laketag.jobs.options import SHARED, flag
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    import polars as pl

OPTIONS = SHARED | {
    "as_json": flag("--json", help="Print one JSON object a line for each, and all else on standard error.")
}
SHOWN = (
    "collection",
    "images",
    "indexed_at",
    "done",
    "finished_at",
    "runs",
    "classifiers",
    "label_bytes",
    "sets",
)


def collections(
    root: str,
    *,
    as_json: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "pl.DataFrame":
    """List the collections of a lake: their images, newest index and run, and the command for the next step.

    Done are the images that have a label or a failure since the newest run. Nothing is written.
    """
    screen = open_screen(console, as_json=as_json)
    chosen = read_settings(settings, override)

    from laketag.jobs.result_table import Columns, print_rows
    from laketag.pipeline.lake.overview import find_collections, find_sets
    from laketag.pipeline.lake.paths import open_lake

    lake = open_lake(root, chosen.storage)
    found = find_collections(lake)
    if as_json:
        write_out(found.write_ndjson())
        return found
    print_rows(found.select(SHOWN), found.height, screen.console, Columns(SHOWN))
    sets = find_sets(lake)["description_set"].to_list()
    for step in next_steps(root, found.rows(named=True), sets):
        screen.say(step)
    return found


def next_steps(root: str, rows: Sequence[dict[str, Any]], sets: Sequence[str]) -> list[str]:
    """A sentence with a command for each row of laketag.pipeline.lake.overview.COLLECTIONS, and for a lake without any."""
    lake = f"--root {shlex.quote(root)}"
    if not rows:
        return [f"the lake has no index; write one: laketag index IMAGES {lake} --collection NAME"]
    return [f"{row['collection']}: {_next_step(lake, row, sets)}" for row in rows]


def _next_step(lake: str, row: dict[str, Any], sets: Sequence[str]) -> str:
    label = f"laketag label {lake} --collection {row['collection']} --set"
    if row["unfinished_runs"]:
        run = row["unfinished_runs"][-1]
        return f"run {run['run_id']} is not finished; go on: {label} {run['description_set']}"
    if row["sets"] and row["is_up_to_date"]:
        return f"up to date; look at the labels: laketag query labels {lake} --collection {row['collection']}"
    if row["sets"]:
        return f"not all of the newest index is labelled; go on: {label} {row['sets'][0]}"
    if sets:
        return f"not labelled yet; label it: {label} {sets[0] if len(sets) == 1 else 'SET'}"
    return f"not labelled yet; describe its classes first: laketag describe CLASSES {lake} --set NAME"
