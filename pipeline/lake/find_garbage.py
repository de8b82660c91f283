"""Finding what nobody can need any more in a lake."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.embedding_runs import find_needed
from laketag.pipeline.lake.garbage import DEAD_LEASES, Garbage, Retention
from laketag.pipeline.lake.lease_holder import find_leases
from laketag.pipeline.lake.paths import RUN_TABLES, TABLES, TIME_FORMAT, Lake, Table
from laketag.pipeline.lake.run_folds import named_files
from laketag.pipeline.lake.runs import current_runs, read_run_table
from laketag.pipeline.lake.snapshots import complete_snapshot
from laketag.pipeline.lake.staging import read_frozen, run_suffix
from laketag.pipeline.store.folders import StoredFile, list_everything

WRITERS = timedelta(hours=1)
"""A snapshot whose last part was written since is still being written; no lease tells."""
NO_RUN = "files that no run names"
SNAPSHOT = re.compile(r"collection=([^/]+)/snapshot=([^/]+)/")
VERSION = re.compile(r"set=([^/]+)/version=([^/]+)/")
CALIBRATION = re.compile(r"collection=([^/]+)/classifier=([^/]+)/[^/]+-([0-9a-f]{16})\.parquet")
OF_RUN = re.compile(r"collection=[^/]+/classifier=[^/]+/run=([^/]+)/[^/]+\.parquet")
SUFFIX = len(run_suffix("", ""))

Names = set[tuple[str, str]]
"""Of snapshots, with their collection, or of versions, with their set."""


@dataclass(frozen=True)
class Search:
    """What the finders look at, and the garbage that they add to."""

    lake: Lake
    files: dict[Table, dict[str, StoredFile]]
    """The files of each table by their paths in it."""
    alive: dict[str, bool]
    """The leases by name, and whether their holders live."""
    retention: Retention
    garbage: Garbage

    @property
    def runs(self) -> pl.DataFrame:
        """schemas.Runs, in the order in which they finished."""
        return self.garbage.table.rows


def find_garbage(lake: Lake, retention: Retention) -> Garbage:
    """What can be removed now. Files are listed before staging and the runs are read: what is published meanwhile stays."""
    files = {table: _list(lake, table) for table in sorted(TABLES, key="staging".__eq__)}
    garbage = Garbage(read_run_table(lake))
    search = Search(lake, files, find_leases(lake), retention, garbage)
    staged = _find_staged(search)
    _find_runs(search, list(staged.values()))
    kept = search.runs.filter(~pl.col("run_id").is_in(garbage.run_ids))
    _find_files_of_runs(search, named_files(kept), staged)
    if (orphans := garbage.files.get(f"label {NO_RUN}")) and search.runs.is_empty():
        raise InputError(
            f"{lake.root}: has {len(orphans):,} label files that no unfinished run writes, such as {orphans[0].url}, and not one "
            f"run that names them; nothing was removed. If {lake.path('runs')} was lost, restore it; otherwise remove "
            f"{lake.path('labels')} yourself"
        )
    frozen = [run for run in staged.values() if run]
    planning = [*retention.find_recent(kept).iter_rows(named=True), *frozen]
    _find_snapshots(search, {(run["collection"], run["snapshot"]) for run in planning})
    described = [*kept.iter_rows(named=True), *frozen]
    _find_versions(search, {(run["description_set"], run["description_version"]) for run in described})
    named = {(run["collection"], run["classifier"], run.get("calibration")) for run in described}
    _find_calibrations(search, named)
    _find_leftovers(search)
    return garbage


def _list(lake: Lake, table: Table) -> dict[str, StoredFile]:
    top = lake.path(table) + "/"
    return {file.url.removeprefix(top): file for file in list_everything(lake.path(table), lake.storage)}


def _find_staged(search: Search) -> dict[str, dict[str, Any] | None]:
    """Adds staging that nobody will use; returns the frozen runs that stay by the names of all folders that stay."""
    staged: dict[str, dict[str, Any] | None] = {}
    finished = set(search.runs["run_id"])
    folders: dict[str, list[StoredFile]] = {}
    for name, file in search.files["staging"].items():
        if not name.startswith("leases/"):
            folders.setdefault(name.partition("/")[0], []).append(file)
    for name, inside in folders.items():
        in_use = any(is_alive and name.endswith(lease[-SUFFIX:]) for lease, is_alive in search.alive.items())
        frozen = read_frozen(search.lake, name)
        last = max(_time(file, search.retention) for file in inside)
        if in_use or (name not in finished and not search.retention.is_unread(last)):
            is_garbage = False
        elif name in finished or frozen is None:
            is_garbage = True
        else:
            is_garbage = search.retention.is_over(last)
        if is_garbage:
            kind = "staging of finished runs" if name in finished else "staging of unfinished runs"
            search.garbage.add(kind, inside, search.lake.staging(name))
        else:
            staged[name] = frozen
    return staged


def _find_runs(search: Search, staged: list[dict[str, Any] | None]) -> None:
    """Adds all runs of each classifier that is not current, if none of them is recent and nobody works with it.

    Runs whose embeddings later labels may be made from stay, too (laketag.pipeline.lake.embedding_runs).
    """
    keys = ["collection", "classifier"]
    unfinished = [run for run in staged if run]
    current = search.runs.join(current_runs(search.runs), on=keys, how="semi")
    needed = find_needed(search.runs, [*unfinished, *current.iter_rows(named=True)])
    used = {(run["collection"], run["classifier"]) for run in unfinished}
    for runs in (current, search.retention.find_recent(search.runs), needed):
        used |= set(runs.select(keys).iter_rows())
    live = {lease[-SUFFIX:] for lease, is_alive in search.alive.items() if is_alive}
    for run_id, *key in search.runs.select("run_id", *keys).iter_rows():
        if tuple(key) not in used and run_suffix(*key) not in live:
            search.garbage.run_ids.append(run_id)


def _find_files_of_runs(search: Search, named: set[str], staged: dict[str, dict[str, Any] | None]) -> None:
    """Adds files of labels, and of what runs keep beside them, that no kept run names, once nobody reads or writes them."""
    left_out = named_files(search.runs) - named
    folders = {folder.rpartition("/")[2] for folder in search.garbage.folders}
    abandoned = folders - set(search.runs["run_id"])
    files = [(table, *named) for table in RUN_TABLES for named in search.files[table].items()]
    for table, name, file in files:
        path, kind = f"{table}/{name}", table.removesuffix("s")
        if path in named or not (match := OF_RUN.fullmatch(name)) or match[1] in staged:
            continue
        since = search.garbage.table.replaced.get(path)
        if path in left_out:
            search.garbage.add(f"{kind} files of old classifiers", [file])
        elif match[1] in abandoned:
            search.garbage.add(f"{kind} files of unfinished runs", [file])
        elif search.retention.is_unread(
            datetime.fromisoformat(since) if since else _time(file, search.retention)
        ):
            search.garbage.add(f"{kind} files that were replaced" if since else f"{kind} {NO_RUN}", [file])


def _find_snapshots(search: Search, needed: Names) -> None:
    """Adds snapshots that nothing needs, but for the newest complete one of each collection and newer ones.

    The age of a complete one counts from the next one: until then a process may have begun to plan from it.
    """
    retention = search.retention
    replaced: dict[str, datetime] = {}  # when the next complete snapshot of the collection was written
    for (collection, name), inside in sorted(_group(SNAPSHOT, search.files["index"]).items(), reverse=True):
        last = max(_time(file, retention) for file in inside)
        is_complete = complete_snapshot(name, [file.url for file in inside]) is not None
        since = replaced.get(collection)
        if is_complete:
            replaced[collection] = last
        if (collection, name) in needed or (is_complete and since is None):
            continue
        folder = f"{search.lake.index_snapshots(collection)}/snapshot={name}"
        if is_complete and since and retention.is_over(since):
            search.garbage.add("old index snapshots", inside, folder)
        elif not is_complete and retention.is_unread(last) and retention.now - last >= WRITERS:
            search.garbage.add("incomplete snapshots", inside, folder)


def _find_versions(search: Search, needed: Names) -> None:
    """Adds versions of descriptions that no run names, but for the newest of each set; age counts from the next version."""
    replaced: dict[str, datetime] = {}
    files = search.files["descriptions"]
    for (set_name, version), inside in sorted(_group(VERSION, files).items(), reverse=True):
        since = replaced.get(set_name)
        replaced[set_name] = max(_time(file, search.retention) for file in inside)
        if since and (set_name, version) not in needed and search.retention.is_over(since):
            folder = f"{search.lake.description_versions(set_name)}/version={version}"
            search.garbage.add("old descriptions", inside, folder)


def _find_calibrations(search: Search, needed: set[tuple[str, str, str | None]]) -> None:
    """Adds calibrations that no run names, but for the newest of each classifier that has runs; age counts from the next one."""
    replaced: dict[tuple[str, str], datetime] = {}
    labelling = {name[:2] for name in needed}
    for name, file in sorted(search.files["calibrations"].items(), reverse=True):
        if match := CALIBRATION.fullmatch(name):
            key = (match[1], match[2])
            since = replaced.get(key, None if key in labelling else _time(file, search.retention))
            replaced[key] = _time(file, search.retention)
            if (*key, match[3]) not in needed and since and search.retention.is_over(since):
                search.garbage.add("old calibrations", [file])


def _find_leftovers(search: Search) -> None:
    """Adds what killed writers left, and leases whose holders are dead."""
    for files in search.files.values():
        for name, file in files.items():
            is_temporary = re.search(r"(^|/)\.[^/]*\.tmp$", name)
            if is_temporary and search.retention.is_unread(_time(file, search.retention)):
                search.garbage.add("unfinished temporary files", [file])
    for name, is_alive in search.alive.items():
        lease = search.files["staging"].get(f"leases/{name}.json")
        if lease and not is_alive:
            search.garbage.add(DEAD_LEASES, [lease])


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
