"""Finished runs, and the label files that they published.

A run commits itself as ``runs/R.parquet``. ``runs/fold-NNNNNN.parquet`` holds the rows of many runs
(laketag.pipeline.lake.run_folds). The fold with the highest number counts, and beside it the files of runs that are
not in it; a file of a run that is in it is about to be removed.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import polars as pl

from laketag.pipeline.errors import StorageError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import decode_footer, decode_table, scan_table
from laketag.pipeline.store.files import read_files
from laketag.pipeline.store.folders import list_files
from laketag.schemas import Labels, Runs

FOLD = re.compile(r"fold-(\d+)\.parquet")
REPLACED = "replaced"
"""The entry of a fold's footer that holds RunTable.replaced as JSON."""
LISTINGS = 5
"""How often the runs are listed anew because a fold has removed files since."""


@dataclass(frozen=True)
class RunTable:
    """The finished runs and the files that they were read from."""

    rows: pl.DataFrame
    """schemas.Runs, in the order in which the runs finished."""
    fold: int
    """The number of the fold that was read; 0 if there was none."""
    files: tuple[str, ...]
    """All files of the table, also those of older folds and of runs that are in the fold."""
    replaced: Mapping[str, str]
    """Label files that no run names any more, relative to the root, and since when (ISO 8601, UTC). ``clean`` removes them."""


def read_runs(lake: Lake) -> pl.DataFrame:
    """All finished runs (schemas.Runs), in the order in which they finished.

    A command reads them once: one listing, one read of the fold, and one of each run that finished after it was written.
    """
    return read_run_table(lake).rows


def select_runs_of(
    runs: pl.DataFrame, collection: str | None = None, fingerprint: str | None = None
) -> pl.DataFrame:
    """Those of the runs that are of the collection and of the classifier with this fingerprint, in the same order."""
    if collection is not None:
        runs = runs.filter(pl.col("collection") == collection)
    if fingerprint is not None:
        runs = runs.filter(pl.col("classifier") == fingerprint)
    return runs


def read_run_table(lake: Lake) -> RunTable:
    """All finished runs, and what rewrite_runs has to know about their files."""
    for _ in range(LISTINGS):
        files = list_files(lake.path("runs"), lake.storage)
        folds = find_folds(files)
        number = max(folds, default=0)
        singles = [url for url in files if not FOLD.fullmatch(_name(url))]
        try:
            folded, replaced = _read_fold(lake, folds[number]) if number else (Runs.create_empty(), {})
            known = set(folded["run_id"])
            others = _read(lake, [url for url in singles if _run_id(url) not in known])
        except FileNotFoundError:
            continue
        rows = pl.concat([folded, others]).sort("finished_at", "run_id")
        return RunTable(rows, number, tuple(files), replaced)
    raise StorageError(
        f"{lake.path('runs')}: its files were removed {LISTINGS} times while they were read; "
        "run the same command again"
    )


def find_folds(files: Iterable[str]) -> dict[int, str]:
    """The URLs of the folds among the files of the table, by number."""
    return {int(found[1]): url for url in files if (found := FOLD.fullmatch(_name(url)))}


def _read_fold(lake: Lake, url: str) -> tuple[pl.DataFrame, dict[str, str]]:
    content = read_files([url], lake.storage)
    rows = decode_table(content, Runs, [url])
    replaced: dict[str, str] = json.loads(decode_footer(content[0]).get(REPLACED, "{}"))
    return rows, replaced


def _read(lake: Lake, urls: Sequence[str]) -> pl.DataFrame:
    if not urls:
        return Runs.create_empty()
    return decode_table(read_files(urls, lake.storage), Runs, urls)


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _run_id(url: str) -> str:
    return PurePosixPath(_name(url)).stem


def label_files(lake: Lake, runs: pl.DataFrame) -> list[str]:
    """URLs of the label files that hold the rows of these runs, each once; some may hold rows of other runs, too."""
    return [
        f"{lake.root}/{file}" for file in runs["files"].explode().drop_nulls().unique(maintain_order=True)
    ]


def scan_newest(lake: Lake, runs: pl.DataFrame) -> pl.LazyFrame:
    """Each image's row of the run that finished last (schemas.Labels), lazily.

    The runs have the same classifier and the order of read_runs. Their ids do not tell which finished last: a
    sample may be planned and finished while an older run is unfinished.
    """
    rows = scan_labels(lake, runs)
    if runs.height <= 1:  # nothing to compare, so rows can be streamed
        return rows
    ages = runs.lazy().select("run_id").with_row_index("age")
    newest = (
        rows.select("image_id", "run_id")
        .join(ages, on="run_id")
        .group_by("image_id")
        .agg(pl.col("age").max())
        .join(ages, on="age")
    )
    return rows.join(newest, on=["image_id", "run_id"], how="semi", maintain_order="left")


def current_runs(runs: pl.DataFrame) -> pl.DataFrame:
    """The run of each collection and description set whose classifier's labels are current: the last with a label, if any.

    The runs have the order of read_runs. A run of another classifier in which all images failed hides no label. A run that
    planned nothing says that the labels which its classifier has already are current again.
    """
    counts = (pl.col("labelled") > 0) | (pl.col("planned") == 0)
    return runs.sort(counts, maintain_order=True).unique(["collection", "description_set"], keep="last")


def are_hidden(of_set: pl.DataFrame, fingerprint: str) -> bool:
    """Whether the classifier has labels, and those of another one are current.

    The runs are those of one collection and description set, in the order of read_runs.
    """
    own = of_set.filter(pl.col("classifier") == fingerprint)
    return bool((own["labelled"] > 0).any()) and current_runs(of_set)["classifier"].item() != fingerprint


def scan_labels(lake: Lake, runs: pl.DataFrame) -> pl.LazyFrame:
    """All rows that these runs published (schemas.Labels), lazily, including rows that later runs replaced."""
    files = label_files(lake, runs)
    if not files:
        return Labels.create_empty(lazy=True)
    rows = scan_table(files, Labels, lake.storage)
    named = runs.select("run_id", "files").iter_rows()
    if all(f"/run={run_id}/" in file for run_id, files in named for file in files):
        return rows
    return rows.filter(pl.col("run_id").is_in(runs["run_id"].to_list()))  # compacted files are shared
