"""``laketag sets``: the description sets of a lake."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from laketag.jobs.console import open_screen, write_out
from laketag.jobs.options import SHARED, flag
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    import polars as pl

OPTIONS = SHARED | {
    "as_json": flag("--json", help="Print one JSON object a line for each, and all else on standard error.")
}
SHOWN = ("description_set", "classes", "texts", "dropped", "described_at", "bytes", "collections")


def sets(
    root: str,
    *,
    as_json: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "pl.DataFrame":
    """List the description sets of a lake: their classes and texts, and the collections that they label.

    These are the collections whose current labels come from the set. Nothing is written.
    """
    screen = open_screen(console, as_json=as_json)
    chosen = read_settings(settings, override)

    from laketag.jobs.result_table import Columns, print_rows
    from laketag.pipeline.lake.overview import find_sets
    from laketag.pipeline.lake.paths import open_lake

    found = find_sets(open_lake(root, chosen.storage))
    if as_json:
        write_out(found.write_ndjson())
        return found
    print_rows(found.select(SHOWN), found.height, screen.console, Columns(SHOWN))
    if found.is_empty():
        screen.say(
            "the lake has no description set; write one: "
            f"laketag describe CLASSES --root {shlex.quote(root)} --set NAME"
        )
    return found
