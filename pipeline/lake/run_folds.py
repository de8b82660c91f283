"""Rewriting the table of runs: compact, clean and forget commit through this one function.

Killed at any moment, a rewrite leaves either the rows of before or those of after. Runs that finish meanwhile stay.
"""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import polars as pl

from laketag.pipeline.errors import BusyError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import REPLACED, RunTable, find_folds
from laketag.pipeline.lake.tables import create_table
from laketag.pipeline.store.files import remove_file
from laketag.pipeline.store.folders import list_files
from laketag.schemas import Runs


def rewrite_runs(lake: Lake, before: RunTable, after: pl.DataFrame, removed: Collection[str] = ()) -> None:
    """The table of runs has the rows ``after`` instead of ``before.rows``, by one conditional write of a fold.

    ``before`` is what read_run_table returned; ``after`` are its rows (schemas.Runs), changed or without some of them.
    If another process has rewritten the table since, nothing is changed and BusyError is raised: read it and try again.

    Write the files that ``after`` names before. Those that only ``before`` names are replaced: the fold remembers
    them, as long as they are not among the ``removed`` ones, and ``clean`` removes them later, as readers in flight may
    still need them.
    """
    number = before.fold + 1
    now = datetime.now(UTC).isoformat(timespec="seconds")
    since = dict.fromkeys(named_files(before.rows) - named_files(after), now) | dict(before.replaced)
    replaced = {file: time for file, time in sorted(since.items()) if file not in set(removed)}
    if before.rows.join(after, on="run_id", how="anti").height:
        # a run that is left out would come back with its own file, so first no run has a file of its own
        _create_fold(lake, number, before.rows, before.replaced)
        _remove(lake, before.files)
        before = RunTable(before.rows, number, (lake.fold(number),), before.replaced)
        number += 1
    _create_fold(lake, number, after, replaced)
    _remove(lake, before.files)


def named_files(runs: pl.DataFrame) -> set[str]:
    """The files of labels, and of what is kept beside them, that these runs name, relative to the root."""
    return {*runs["files"].explode().drop_nulls(), *runs["kept_files"].explode().drop_nulls()}


def _create_fold(lake: Lake, number: int, rows: pl.DataFrame, replaced: Mapping[str, str]) -> None:
    """The fold is the newest one; otherwise BusyError."""
    footer = {REPLACED: json.dumps(dict(replaced))}
    url = lake.fold(number)
    is_created = create_table(rows.sort("finished_at", "run_id"), url, Runs, lake.storage, footer)
    if is_created and max(find_folds(list_files(lake.path("runs"), lake.storage))) == number:
        return
    if is_created:  # others have written this one and a newer one since, and removed this one
        remove_file(url, lake.storage)
    raise BusyError(
        f"{url} was written by another process, which compacts, cleans or forgets; "
        "run the same command again when it is done"
    )


def _remove(lake: Lake, files: tuple[str, ...]) -> None:
    for url in files:
        remove_file(url, lake.storage)
