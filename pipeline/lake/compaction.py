"""Merging small label files: a year of nightly runs leaves hundreds, and each costs every query some reads.

The rows stay as they are, each with its ``run_id``. A merged file is in a folder of its own, ``run=merged-T``, and the
rows of all runs that have rows in it name it.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from laketag.pipeline.lake.label_files import LabelFile, file_columns, files_of, write_label_file
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.run_folds import rewrite_runs
from laketag.pipeline.lake.runs import RunTable
from laketag.pipeline.lake.tables import read_whole_footer, scan_table
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.pipeline.store.folders import remove_folder
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Labels

MERGED_ROWS = 100_000
"""Files are merged until they have this many rows; those with half of it and more stay. Bounds the memory, as a group of
files is in memory at once."""


def compact(lake: Lake, table: RunTable, lease: Lease) -> int:
    """The rows of all runs are in one file, and those of small label files in few; returns how many files were merged.

    Killed before the one conditional write of the table of runs, nothing has changed but for a folder of files that no
    run names, which ``clean`` removes: its folder in staging says so.
    """
    name = f"merged-{timestamp()}"
    successors: dict[str, LabelFile] = {}
    for collection, classifier, group in _find_groups(lake, table.rows):
        if not successors:  # the folder of label files belongs to something that is not finished
            write_bytes(f"{lake.staging(name)}/compact.json", b"{}", lake.storage)
        number = len(set(successors.values()))
        url = f"{lake.labels(collection, classifier, name)}/part-{number:05d}.parquet"
        rows = _read_sorted(lake, group)
        lease.check()
        merged = write_label_file(lake, url, rows)
        successors |= dict.fromkeys((file.path for file in group), merged)
    if successors or len(table.files) > 1:
        lease.check()
        rewrite_runs(lake, table, _with_successors(table.rows, successors))
    if successors:
        remove_folder(lake.staging(name), lake.storage)
    return len(successors)


def _find_groups(lake: Lake, runs: pl.DataFrame) -> Iterator[tuple[str, str, list[LabelFile]]]:
    """Small label files of one collection and classifier that become one file, the files of older runs first."""
    keys = ["collection", "classifier"]
    for collection, classifier in runs.select(keys).unique(maintain_order=True).iter_rows():
        of_classifier = runs.filter(pl.col("collection") == collection, pl.col("classifier") == classifier)
        every = {file.path: file for row in of_classifier.iter_rows(named=True) for file in files_of(row)}
        group: list[LabelFile] = []
        held = 0
        for file in every.values():
            rows = file.rows
            if rows is None:
                rows = read_whole_footer(f"{lake.root}/{file.path}", lake.storage).rows
            if rows >= MERGED_ROWS // 2:
                continue
            if held + rows > MERGED_ROWS:  # the group has two files at least, as each is less than half of it
                yield collection, classifier, group
                group, held = [], 0
            group.append(file)
            held += rows
        if len(group) > 1:
            yield collection, classifier, group


def _read_sorted(lake: Lake, files: Sequence[LabelFile]) -> pl.DataFrame:
    """All rows of the files, sorted by image; of one image those of older runs first.

    Only the ids are sorted, then whole rows gathered: polars needs six times the memory to sort nested columns.
    """
    urls = [f"{lake.root}/{file.path}" for file in files]
    rows = through_outages(lake.root, lake.storage, lambda: scan_table(urls, Labels, lake.storage).collect())
    return rows[rows.select("image_id").with_row_index().sort("image_id", maintain_order=True)["index"]]


def _with_successors(runs: pl.DataFrame, successors: dict[str, LabelFile]) -> pl.DataFrame:
    """The rows of the runs, with the successor of each file that has one, each once."""
    rows = []
    for row in runs.iter_rows(named=True):
        files = dict.fromkeys(successors.get(file.path, file) for file in files_of(row))
        rows.append(row | file_columns(list(files)))
    return pl.DataFrame(rows, schema=runs.schema)
