"""What nobody can need any more in a lake, and removing it.

Nothing that a run row that is kept names is garbage, and nothing that a process uses: its lease tells.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.lease import find_leases
from laketag.pipeline.lake.paths import TABLES, TIME_FORMAT, Lake, Table
from laketag.pipeline.lake.run_folds import named_files, rewrite_runs
from laketag.pipeline.lake.runs import RunTable, current_runs, read_run_table
from laketag.pipeline.lake.snapshots import open_snapshot
from laketag.pipeline.lake.staging import read_frozen, run_suffix
from laketag.pipeline.store.files import remove_file
from laketag.pipeline.store.folders import StoredFile, list_everything, remove_folder

READERS = timedelta(days=1)
"""How long what was replaced or left over is kept for readers in flight, unless the retention is shorter."""
WRITERS = timedelta(hours=1)
"""A snapshot whose last part was written since is still being written; no lease tells."""
DEAD_LEASES = "leases of dead processes"
ORPHANS = "label files that no run names"
SNAPSHOT = re.compile(r"collection=([^/]+)/snapshot=([^/]+)/")
VERSION = re.compile(r"set=([^/]+)/version=([^/]+)/")
LABELS = re.compile(r"collection=[^/]+/classifier=[^/]+/run=([^/]+)/[^/]+\.parquet")


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


def find_garbage(lake: Lake, retention: Retention) -> Garbage:
    """What can be removed now. Files are listed before staging and the runs are read: what is published meanwhile stays."""
    listed: dict[Table, dict[str, StoredFile]] = {
        table: _list(lake, table) for table in TABLES if table != "staging"
    }
    staging = _list(lake, "staging")
    table = read_run_table(lake)
    garbage = Garbage(table)
    alive = find_leases(lake)
    kept, staged = _find_staged(lake, staging, alive, garbage, retention)
    _find_runs(table, kept, alive, garbage, retention)
    rows = table.rows.filter(~pl.col("run_id").is_in(garbage.run_ids))
    _find_label_files(listed["labels"], named_files(rows), staged, garbage, retention)
    if (orphans := garbage.files.get(ORPHANS)) and table.rows.is_empty():
        raise InputError(
            f"{lake.root}: has {len(orphans):,} label files that no unfinished run writes, such as {orphans[0].url}, and not one "
            f"run that names them; nothing was removed. If {lake.path('runs')} was lost, restore it; otherwise remove "
            f"{lake.path('labels')} yourself"
        )
    needed = [*rows.iter_rows(named=True), *kept]
    names = {(run["collection"], run["snapshot"]) for run in needed}
    _find_snapshots(lake, listed["index"], names, garbage, retention)
    names = {(run["description_set"], run["description_version"]) for run in needed}
    _find_versions(lake, listed["descriptions"], names, garbage, retention)
    unfinished = [
        file
        for files in (*listed.values(), staging)
        for name, file in files.items()
        if re.search(r"(^|/)\.[^/]*\.tmp$", name) and retention.is_unread(_time(file, retention))
    ]
    if unfinished:
        garbage.add("unfinished temporary files", unfinished)
    dead = [file for name, file in staging.items() if _is_dead(name, alive)]
    if dead:
        garbage.add(DEAD_LEASES, dead)
    return garbage


def remove_garbage(lake: Lake, garbage: Garbage) -> None:
    """It is gone. Killed anywhere, it leaves a lake that verifies, and the next call removes the rest."""
    if garbage.run_ids:
        rows = garbage.table.rows.filter(~pl.col("run_id").is_in(garbage.run_ids))
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
    for folder in garbage.folders:  # after the label files of unfinished runs
        remove_folder(folder, lake.storage)
    table = read_run_table(lake)
    removed = {file.url.removeprefix(f"{lake.root}/") for files in garbage.files.values() for file in files}
    if removed & set(table.replaced):
        rewrite_runs(lake, table, table.rows, removed)


def _list(lake: Lake, table: Table) -> dict[str, StoredFile]:
    """The files of a table by their paths in it."""
    top = lake.path(table) + "/"
    return {file.url.removeprefix(top): file for file in list_everything(lake.path(table), lake.storage)}


def _find_staged(
    lake: Lake, files: dict[str, StoredFile], alive: dict[str, bool], garbage: Garbage, retention: Retention
) -> tuple[list[dict[str, str]], set[str]]:
    """Adds staging that nobody will use; returns the frozen runs that stay, and the names of all folders that stay."""
    kept, names = [], set()
    finished = set(garbage.table.rows["run_id"])
    folders: dict[str, list[StoredFile]] = {}
    for name, file in files.items():
        if not name.startswith("leases/"):
            folders.setdefault(name.partition("/")[0], []).append(file)
    for name, inside in folders.items():
        in_use = any(is_alive and name.endswith(lease[-SUFFIX:]) for lease, is_alive in alive.items())
        frozen = read_frozen(lake, name)
        last = max(_time(file, retention) for file in inside)
        if in_use or (name not in finished and not retention.is_unread(last)):
            is_garbage = False
        elif name in finished or frozen is None:
            is_garbage = True
        else:
            is_garbage = retention.is_over(last)
        if is_garbage:
            kind = "staging of finished runs" if name in finished else "staging of unfinished runs"
            garbage.add(kind, inside, lake.staging(name))
        else:
            names.add(name)
            if frozen is not None:
                kept.append(frozen)
    return kept, names


SUFFIX = len(run_suffix("", ""))


def _find_runs(
    table: RunTable,
    staged: list[dict[str, str]],
    alive: dict[str, bool],
    garbage: Garbage,
    retention: Retention,
) -> None:
    """Adds runs of classifiers that are not current, if they are old and none works with them."""
    group = ["collection", "description_set"]
    keys = ["collection", "classifier"]
    used = {(run["collection"], run["classifier"]) for run in staged}
    used |= set(current_runs(table.rows).select(keys).iter_rows())
    newest = table.rows.group_by(group, maintain_order=True).tail(retention.runs)["run_id"]
    live = {lease[-SUFFIX:] for lease, is_alive in alive.items() if is_alive}
    for run in table.rows.filter(~pl.col("run_id").is_in(newest.to_list())).iter_rows(named=True):
        key = (run["collection"], run["classifier"])
        if key not in used and run_suffix(*key) not in live and retention.is_over(run["finished_at"]):
            garbage.run_ids.append(run["run_id"])


def _find_label_files(
    files: dict[str, StoredFile], named: set[str], staged: set[str], garbage: Garbage, retention: Retention
) -> None:
    """Adds label files that no run names, once nobody reads or writes them any more."""
    left_out = named_files(garbage.table.rows) - named
    folders = {folder.rpartition("/")[2] for folder in garbage.folders}
    abandoned = folders - set(garbage.table.rows["run_id"])
    found: dict[str, list[StoredFile]] = {}
    for name, file in files.items():
        path = f"labels/{name}"
        if path in named or not (match := LABELS.fullmatch(name)) or match[1] in staged:
            continue
        since = garbage.table.replaced.get(path)
        if path in left_out:
            found.setdefault("label files of old classifiers", []).append(file)
        elif match[1] in abandoned:
            found.setdefault("label files of unfinished runs", []).append(file)
        elif retention.is_unread(datetime.fromisoformat(since) if since else _time(file, retention)):
            kind = "label files that were replaced" if since else ORPHANS
            found.setdefault(kind, []).append(file)
    for kind, these in found.items():
        garbage.add(kind, these)


def _find_snapshots(
    lake: Lake,
    files: dict[str, StoredFile],
    needed: set[tuple[str, str]],
    garbage: Garbage,
    retention: Retention,
) -> None:
    """Adds snapshots that no run names, but for the newest complete one of each collection and newer ones.

    The age of a complete one counts from the next one: until then a process may have begun to plan from it.
    """
    replaced: dict[str, datetime] = {}  # when the next complete snapshot of the collection was written
    for (collection, name), inside in sorted(_group(SNAPSHOT, files).items(), reverse=True):
        last = max(_time(file, retention) for file in inside)
        is_complete = open_snapshot(lake, collection, name) is not None
        since = replaced.get(collection)
        if is_complete:
            replaced[collection] = last
        if (collection, name) in needed or (is_complete and since is None):
            continue
        if is_complete and since and retention.is_over(since):
            garbage.add("old index snapshots", inside, f"{lake.index_snapshots(collection)}/snapshot={name}")
        elif not is_complete and retention.is_unread(last) and retention.now - last >= WRITERS:
            garbage.add("incomplete snapshots", inside, f"{lake.index_snapshots(collection)}/snapshot={name}")


def _find_versions(
    lake: Lake,
    files: dict[str, StoredFile],
    needed: set[tuple[str, str]],
    garbage: Garbage,
    retention: Retention,
) -> None:
    """Adds versions of descriptions that no run names, but for the newest of each set; age counts from the next version."""
    replaced: dict[str, datetime] = {}
    for (set_name, version), inside in sorted(_group(VERSION, files).items(), reverse=True):
        since = replaced.get(set_name)
        replaced[set_name] = max(_time(file, retention) for file in inside)
        if since and (set_name, version) not in needed and retention.is_over(since):
            garbage.add(
                "old descriptions", inside, f"{lake.description_versions(set_name)}/version={version}"
            )


def _group(pattern: re.Pattern[str], files: dict[str, StoredFile]) -> dict[tuple[str, str], list[StoredFile]]:
    groups: dict[tuple[str, str], list[StoredFile]] = {}
    for name, file in files.items():
        if match := pattern.match(name):
            groups.setdefault((match[1], match[2]), []).append(file)
    return groups


def _time(file: StoredFile, retention: Retention) -> datetime:
    """When the file was written, or else the time in its path; now if neither is known."""
    if file.modified is not None:
        return file.modified
    if match := re.search(r"\d{8}T\d{6}\.\d{6}Z", file.url):
        return datetime.strptime(match[0], TIME_FORMAT).replace(tzinfo=UTC)
    return retention.now


def _is_dead(name: str, alive: dict[str, bool]) -> bool:
    return (
        name.startswith("leases/") and alive.get(name.removeprefix("leases/").removesuffix(".json")) is False
    )
