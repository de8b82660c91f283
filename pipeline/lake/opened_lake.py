"""A lake that queries are about: its root is checked, its finished runs are read, and the filters are those that it knows."""

import shlex
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.filters import RowFilter, check_names, warn_unknown
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_runs


@dataclass(frozen=True, eq=False)
class OpenedLake:
    """A lake whose finished runs were read already, so that several queries of one command read them once."""

    lake: Lake
    finished: pl.DataFrame
    """schemas.Runs, oldest first."""


Root = str | OpenedLake
Storage = StorageSettings | None


def open_runs(root: str, storage: Storage) -> OpenedLake:
    """The lake at the root and its finished runs; an InputError if there are none."""
    lake = open_lake(root, storage or StorageSettings())
    finished = read_runs(lake)
    if finished.is_empty():
        raise InputError(
            f"{root} holds no finished run, so there is nothing to query; correct the root, or label with: "
            f"laketag label --root {shlex.quote(root)} --collection C --set S"
        )
    return OpenedLake(lake, finished)


def open_filtered(
    root: Root, storage: Storage, which: RowFilter, known: type[RowFilter]
) -> tuple[Lake, pl.DataFrame]:
    """The lake and its finished runs, oldest first; the filters were checked."""
    check_names(which, known)
    opened = root if isinstance(root, OpenedLake) else open_runs(root, storage)
    warn_unknown(opened.lake, opened.finished, which)
    return opened.lake, opened.finished
