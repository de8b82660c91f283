"""What nobody can need any more in a lake, and removing it.

Nothing that a kept run still needs is garbage, and nothing that a process uses: its lease tells.
laketag.pipeline.lake.find_garbage finds it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from laketag.pipeline.lake.lease_holder import find_leases
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.run_folds import rewrite_runs
from laketag.pipeline.lake.runs import RunTable, read_run_table
from laketag.pipeline.store.files import remove_file
from laketag.pipeline.store.folders import StoredFile, remove_folder

READERS = timedelta(days=1)
"""How long what was replaced or left over is kept for readers in flight, unless the retention is shorter."""
DEAD_LEASES = "leases of dead processes"


@dataclass(frozen=True)
class Retention:
    """What is kept although it is not current: all of some days, and of each collection and set the newest runs."""

    days: float = 30.0
    runs: int = 10
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def is_over(self, time: datetime) -> bool:
        """Whether something of that time is not kept any more."""
        return self.now - time >= timedelta(days=self.days)

    def is_unread(self, since: datetime) -> bool:
        """Whether nobody reads any more what was replaced or left over at that time."""
        return self.now - since >= min(timedelta(days=self.days), READERS)

    def find_recent(self, runs: pl.DataFrame) -> pl.DataFrame:
        """Those of the runs (schemas.Runs, in the order of read_runs) that are kept in any case, with all that they name."""
        newest = runs.group_by("collection", "description_set", maintain_order=True).tail(self.runs)
        is_newest = pl.col("run_id").is_in(newest["run_id"].to_list())
        return runs.filter(is_newest | (pl.col("finished_at") > self.now - timedelta(days=self.days)))


@dataclass
class Garbage:
    """What can be removed: kinds of things, each with its files, and runs that are left out of the table of runs."""

    table: RunTable
    files: dict[str, list[StoredFile]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    """URLs of folders that go with their files."""
    run_ids: list[str] = field(default_factory=list)

    def add(self, kind: str, files: Iterable[StoredFile], folder: str | None = None) -> None:
        """The files can be removed, and the folder with all in it."""
        self.files.setdefault(kind, []).extend(files)
        if folder is not None:
            self.folders.append(folder)

    def within(self, earlier: "Garbage") -> "Garbage":
        """What was garbage then, too."""
        found = {file.url for files in earlier.files.values() for file in files}
        both = {kind: [file for file in files if file.url in found] for kind, files in self.files.items()}
        return Garbage(
            self.table,
            {kind: files for kind, files in both.items() if files},
            [folder for folder in self.folders if folder in earlier.folders],
            [run_id for run_id in self.run_ids if run_id in earlier.run_ids],
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.files or self.run_ids or self.folders)


def remove_garbage(lake: Lake, garbage: Garbage) -> None:
    """It is gone. Killed anywhere, it leaves a lake that verifies, and the next call removes the rest.

    The runs that stay say before that their snapshots go: otherwise a missing one is a fault.
    """
    before = garbage.table.rows
    start = pl.lit(lake.path("index", "collection="))
    folder = pl.concat_str(start, "collection", pl.lit("/snapshot="), "snapshot")
    goes = folder.is_in(garbage.folders) | pl.col("snapshot_removed").fill_null(value=False)
    rows = before.filter(~pl.col("run_id").is_in(garbage.run_ids)).with_columns(
        snapshot_removed=pl.when(goes).then(pl.lit(value=True))
    )
    if not rows.equals(before):
        rewrite_runs(lake, garbage.table, rows)
    dead = {
        lake.path("staging", "leases", f"{name}.json")
        for name, is_alive in find_leases(lake).items()
        if not is_alive
    }
    for kind, files in garbage.files.items():
        for file in files:
            is_in_folder = any(file.url.startswith(f"{folder}/") for folder in garbage.folders)
            if not is_in_folder and (
                kind != DEAD_LEASES or file.url in dead
            ):  # nobody has taken it over since
                remove_file(file.url, lake.storage)
    for url in garbage.folders:  # after the label files of unfinished runs
        remove_folder(url, lake.storage)
    table = read_run_table(lake)
    removed = {file.url.removeprefix(f"{lake.root}/") for files in garbage.files.values() for file in files}
    if removed & set(table.replaced):
        rewrite_runs(lake, table, table.rows, removed)
