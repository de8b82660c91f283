"""Removing the rows of forgotten images from every table of a lake.

The caller holds the whole lake. Each step may be killed and repeated: it depends only on what the tables hold and on which
images are forgotten. Files of the index and of staging are replaced in place. Label files get successors, one conditional
write makes the runs name these, and then the old ones are removed: a run never names a file that is missing, and
afterwards no file has a row of a forgotten image.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from laketag.pipeline.lake.forgotten import ForgottenImages
from laketag.pipeline.lake.image_files import NAMES, ImageFile, image_files, staged_files
from laketag.pipeline.lake.label_files import (
    LabelFile,
    file_columns,
    files_of,
    kept_columns,
    kept_files_of,
    write_run_file,
)
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.paths import RUN_TABLES, Lake, Table
from laketag.pipeline.lake.run_folds import named_files, rewrite_runs
from laketag.pipeline.lake.runs import read_run_table
from laketag.pipeline.lake.snapshots import FORGOTTEN_ROWS
from laketag.pipeline.lake.staging import PAUSED, read_frozen, read_planned
from laketag.pipeline.lake.tables import encode_table, read_footer, scan_table
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.pipeline.store.files import remove_file
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import LABELLED


@dataclass
class Sweep:
    """A walk through all tables, and how many rows it has removed from each."""

    lake: Lake
    forgotten: ForgottenImages
    lease: Lease
    removed: Counter[str] = field(default_factory=Counter)

    def remove_rows(self) -> None:
        """No table has a row of a forgotten image, and every run row counts those that it has lost."""
        for run_id in list_folders(self.lake.path("staging"), self.lake.storage):
            if run_id != "leases":
                self._clear_staged(run_id)
        for file in image_files(self.lake, "index"):
            if split := self._split(file):
                kept, gone = split
                lost = int(read_footer(file.url, self.lake.storage).get(FORGOTTEN_ROWS, 0)) + gone.height
                self._replace(file, kept, {FORGOTTEN_ROWS: str(lost)})
                self.removed["index"] += gone.height
        tables: tuple[Table, ...] = ("decisions", "evaluations")
        for table in tables:
            for file in image_files(self.lake, table):
                if split := self._split(file):
                    kept, gone = split
                    if kept.is_empty():
                        remove_file(file.url, self.lake.storage)
                    else:
                        self._replace(file, kept)
                    self.removed[table] += gone.height
        self._clear_files_of_runs()

    def _split(self, file: ImageFile) -> tuple[pl.DataFrame, pl.DataFrame] | None:
        """The rows that the file keeps, and those that it loses; None if it loses none. The lease is still held."""

        def read() -> tuple[pl.Series, pl.DataFrame] | None:
            stored = scan_table([file.url], file.schema, self.lake.storage)
            is_gone = self.forgotten.find_in(stored.select(NAMES).collect(), file.collection)
            return (is_gone, stored.collect()) if is_gone.any() else None

        found = through_outages(file.url, self.lake.storage, read)
        if found is None:
            return None
        is_gone, rows = found
        self.lease.check()
        return rows.filter(~is_gone), rows.filter(is_gone)

    def _replace(self, file: ImageFile, kept: pl.DataFrame, footer: Mapping[str, str] | None = None) -> None:
        """The file holds the kept rows, which were checked when they were written."""
        write_bytes(file.url, encode_table(kept, file.schema, footer), self.lake.storage)

    def _clear_staged(self, run_id: str) -> None:
        """The run was never to label the images. While its files change, it counts as a plan that was never frozen."""
        folder, storage = self.lake.staging(run_id), self.lake.storage
        frozen, paused = f"{folder}/run.json", f"{folder}/{PAUSED}"
        run = read_frozen(self.lake, run_id)
        # nothing tells the collection of its images, and no process will use a plan that was not frozen
        if run is None:
            if list_files(folder, storage):
                remove_folder(folder, storage)
            return
        for file in staged_files(self.lake, run_id):
            if split := self._split(file):
                write_bytes(paused, json.dumps(run, indent=1).encode(), storage)
                remove_file(frozen, storage)
                kept, gone = split
                self.removed["staging"] += gone.height
                if kept.is_empty():
                    remove_file(file.url, storage)
                else:
                    self._replace(file, kept)
        if run == read_frozen(self.lake, run_id, is_paused=False):
            return
        planned = read_planned(self.lake, run_id).height
        if not planned:
            remove_folder(folder, storage)
            return
        lost = run["planned"] - planned
        changed = run | {"planned": planned, "index_rows": run["index_rows"] - lost}
        write_bytes(frozen, json.dumps(changed, indent=1).encode(), storage)
        remove_file(paused, storage)

    def _clear_files_of_runs(self) -> None:
        table = read_run_table(self.lake)
        named = named_files(table.rows)
        gone_files: list[str] = []
        successors: dict[str, LabelFile | None] = {}
        lost: dict[str, Counter[str]] = defaultdict(Counter)  # of each run, by outcome
        for table_name, file in (
            (name, file) for name in RUN_TABLES for file in image_files(self.lake, name)
        ):
            if split := self._split(file):
                kept, gone = split
                self.removed[table_name] += gone.height
                path = file.url.removeprefix(f"{self.lake.root}/")
                gone_files.append(path)
                if path in named:  # others were replaced, or left by a publication that was killed
                    successors[path] = self._write_successor(file, path, kept, gone.height)
                    if table_name != "labels":
                        continue
                    for run_id, failure in gone.select("run_id", "failure").iter_rows():
                        lost[run_id][failure or LABELLED] += 1
        if successors or table.replaced.keys() & set(gone_files):
            rows = [
                _without(row, successors, lost[row["run_id"]]) for row in table.rows.iter_rows(named=True)
            ]
            self.lease.check()
            rewrite_runs(self.lake, table, pl.DataFrame(rows, schema=table.rows.schema), gone_files)
        for path in gone_files:
            remove_file(f"{self.lake.root}/{path}", self.lake.storage)

    def _write_successor(self, file: ImageFile, path: str, kept: pl.DataFrame, lost: int) -> LabelFile | None:
        """A file of the same run with the rows that are kept, whose name a repetition gives again; None without rows."""
        if kept.is_empty():
            return None
        stem = path.removesuffix(".parquet")
        url = f"{self.lake.root}/{stem}-without-{lost}.parquet"
        return write_run_file(self.lake, url, kept, file.schema, read_footer(file.url, self.lake.storage))


def _without(
    run: dict[str, Any], successors: Mapping[str, LabelFile | None], lost: Counter[str]
) -> dict[str, Any]:
    """The row of a run (schemas.Runs) after it has lost these outcomes, with the successors of its files."""
    if not (lost or successors.keys() & {*run["files"], *(run["kept_files"] or ())}):
        return run
    files, beside = (
        [found for file in named if (found := successors.get(file.path, file)) is not None]
        for named in (files_of(run), kept_files_of(run))
    )
    failures = {entry["reason"]: entry["images"] - lost[entry["reason"]] for entry in run["failures"]}
    return {
        **run,
        **file_columns(files),
        **(kept_columns(beside) if run["keep"] else {}),
        "labelled": run["labelled"] - lost[LABELLED],
        "failures": [{"reason": reason, "images": images} for reason, images in failures.items() if images],
        "forgotten": (run["forgotten"] or 0) + lost.total(),
    }
