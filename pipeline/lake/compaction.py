"""Merging small files of labels, and of what is kept beside them.

A year of nightly runs leaves hundreds, and each costs every query some reads.

The rows stay as they are, each with its ``run_id``. A merged file is in a folder of its own, ``run=merged-T``, and the
rows of all runs that have rows in it name it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import dataframely as dy
import polars as pl

from laketag.pipeline.lake.kept_tables import KEPT_SCHEMAS
from laketag.pipeline.lake.label_files import (
    LabelFile,
    file_columns,
    files_of,
    kept_columns,
    kept_files_of,
    write_run_file,
)
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.paths import KEPT_TABLES, KeptTable, Lake, timestamp
from laketag.pipeline.lake.publish_kept import FILE_BYTES
from laketag.pipeline.lake.run_folds import rewrite_runs
from laketag.pipeline.lake.runs import RunTable
from laketag.pipeline.lake.tables import read_footer, read_whole_footer, scan_table
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.pipeline.store.folders import list_everything, remove_folder
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Labels

MERGED_ROWS = 100_000
"""Files are merged until they have this many rows; those with half of it and more stay. Bounds the memory, as a group of
files is in memory at once."""

VERSION = "description_version"


def compact(lake: Lake, table: RunTable, lease: Lease) -> int:
    """The rows of all runs are in one file, and those of small files in few; returns how many files were merged.

    Killed before the one conditional write of the table of runs, nothing has changed but for folders of files that no
    run names, which ``clean`` removes: the folder in staging says so.
    """
    name = f"merged-{timestamp()}"
    successors: dict[str, LabelFile] = {}
    for group in (*_group_labels(lake, table.rows), *_group_kept(lake, table.rows)):
        if not successors:  # the folders of files belong to something that is not finished
            write_bytes(f"{lake.staging(name)}/compact.json", b"{}", lake.storage)
        number = len(set(successors.values()))
        url = (
            f"{lake.of_run(group.table, group.collection, group.classifier, name)}/part-{number:05d}.parquet"
        )
        rows = _read_sorted(lake, group)
        lease.check()
        merged = write_run_file(lake, url, rows, group.schema, group.footer)
        successors |= dict.fromkeys((file.path for file in group.files), merged)
    if successors or len(table.files) > 1:
        lease.check()
        rewrite_runs(lake, table, _with_successors(table.rows, successors))
    if successors:
        remove_folder(lake.staging(name), lake.storage)
    return len(successors)


@dataclass(frozen=True)
class _Group:
    """Files of one table, collection and classifier that become one file, those of older runs first."""

    table: Literal["labels"] | KeptTable
    collection: str
    classifier: str
    files: list[LabelFile]
    footer: Mapping[str, str] | None = None

    @property
    def schema(self) -> type[dy.Schema]:
        return Labels if self.table == "labels" else KEPT_SCHEMAS[self.table]


def _group_labels(lake: Lake, runs: pl.DataFrame) -> Iterator[_Group]:
    """Small label files of one collection and classifier."""
    for collection, classifier, of_classifier in _by_classifier(runs):
        every = {file.path: file for row in of_classifier.iter_rows(named=True) for file in files_of(row)}

        def count_rows(file: LabelFile) -> int:
            if file.rows is not None:
                return file.rows
            return read_whole_footer(f"{lake.root}/{file.path}", lake.storage).rows

        for files in _gather(every.values(), count_rows, MERGED_ROWS):
            yield _Group("labels", collection, classifier, files)


def _group_kept(lake: Lake, runs: pl.DataFrame) -> Iterator[_Group]:
    """Small files of one kept table, collection and classifier whose footers are equal but for the version of the set."""
    for collection, classifier, of_classifier in _by_classifier(runs.filter(pl.col("keep").is_not_null())):
        every = {
            file.path: file for row in of_classifier.iter_rows(named=True) for file in kept_files_of(row)
        }
        for table in KEPT_TABLES:
            folder = lake.path(table, f"collection={collection}", f"classifier={classifier}")
            sizes = {
                one.url.removeprefix(f"{lake.root}/"): one.size_bytes
                for one in list_everything(folder, lake.storage)
            }
            small: dict[tuple[tuple[str, str], ...], list[LabelFile]] = {}
            versions: dict[str, dict[str, str]] = {}
            for path, file in every.items():
                if path.startswith(f"{table}/") and sizes.get(path, FILE_BYTES) < FILE_BYTES // 2:
                    entries = read_footer(f"{lake.root}/{path}", lake.storage)
                    # versions of one classifier have the same content
                    version = entries.pop(VERSION, None)
                    versions[path] = {VERSION: version} if version else {}
                    small.setdefault(tuple(sorted(entries.items())), []).append(file)
            for footer, files in small.items():
                for group in _gather(files, lambda file: sizes[file.path], FILE_BYTES):  # noqa: B023  # called within the loop
                    newest = dict(footer) | versions[group[-1].path]
                    yield _Group(table, collection, classifier, group, newest)


def _by_classifier(runs: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    keys = ["collection", "classifier"]
    for collection, classifier in runs.select(keys).unique(maintain_order=True).iter_rows():
        yield (
            collection,
            classifier,
            runs.filter(pl.col("collection") == collection, pl.col("classifier") == classifier),
        )


def _gather(
    files: Iterable[LabelFile], measure: Callable[[LabelFile], int], most: int
) -> Iterator[list[LabelFile]]:
    """The files smaller than half of ``most``, in groups of two files or more that are not larger together."""
    group: list[LabelFile] = []
    held = 0
    for file in files:
        size = measure(file)
        if size >= most // 2:
            continue
        if held + size > most:  # the group has two files at least, as each is less than half of it
            yield group
            group, held = [], 0
        group.append(file)
        held += size
    if len(group) > 1:
        yield group


def _read_sorted(lake: Lake, group: _Group) -> pl.DataFrame:
    """All rows of the files, sorted by image; of one image those of older runs first.

    Only the ids are sorted, then whole rows gathered: polars needs six times the memory to sort nested columns.
    """
    urls = [f"{lake.root}/{file.path}" for file in group.files]
    rows = through_outages(
        lake.root, lake.storage, lambda: scan_table(urls, group.schema, lake.storage).collect()
    )
    return rows[rows.select("image_id").with_row_index().sort("image_id", maintain_order=True)["index"]]


def _with_successors(runs: pl.DataFrame, successors: dict[str, LabelFile]) -> pl.DataFrame:
    """The rows of the runs, with the successor of each file that has one, each once."""

    def follow(files: Iterable[LabelFile]) -> list[LabelFile]:
        return list(dict.fromkeys(successors.get(file.path, file) for file in files))

    rows = []
    for row in runs.iter_rows(named=True):
        beside = kept_columns(follow(kept_files_of(row))) if row["keep"] else {}
        rows.append(row | file_columns(follow(files_of(row))) | beside)
    return pl.DataFrame(rows, schema=runs.schema)
