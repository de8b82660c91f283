"""What a lake holds: its collections and its description sets, with their sizes and the runs that used them."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from laketag.pipeline.lake.description_versions import (
    list_versions,
    read_descriptions_table,
    read_embedded_set,
)
from laketag.pipeline.lake.paths import TIME_FORMAT, TIMESTAMP, Lake, Table
from laketag.pipeline.lake.runs import current_runs, read_runs
from laketag.pipeline.lake.snapshots import find_snapshot
from laketag.pipeline.lake.staging import read_frozen
from laketag.pipeline.lake.tables import read_whole_footer
from laketag.pipeline.store.folders import list_everything, list_folders
from laketag.pipeline.store.read_ahead import read_ahead
from laketag.schemas import LABEL_PROMPT_POSITION

READS_AT_ONCE = 16
COLLECTIONS: dict[str, Any] = {
    "collection": pl.String,
    "images": pl.Int64,
    "indexed_at": pl.Datetime("us", "UTC"),
    "snapshots": pl.Int64,
    "sets": pl.List(pl.String),
    "classifiers": pl.Int64,
    "runs": pl.Int64,
    "newest_run": pl.String,
    "finished_at": pl.Datetime("us", "UTC"),
    "done": pl.Int64,
    "is_up_to_date": pl.Boolean,
    "unfinished_runs": pl.List(pl.Struct({"run_id": pl.String, "description_set": pl.String})),
    "index_bytes": pl.Int64,
    "label_bytes": pl.Int64,
}
"""The columns of ``find_collections``.

``sets`` are the description sets that it was labelled with, the last one first. ``done`` counts the images that had a label
or a failure after the newest run, and ``is_up_to_date`` says that this run had the newest index and left no image.
"""
SETS: dict[str, Any] = {
    "description_set": pl.String,
    "classes": pl.Int64,
    "texts": pl.Int64,
    "dropped": pl.Int64,
    "described_at": pl.Datetime("us", "UTC"),
    "backbone": pl.String,
    "versions": pl.Int64,
    "collections": pl.List(pl.String),
    "bytes": pl.Int64,
}
"""The columns of ``find_sets``; ``texts`` are those kept, and ``collections`` those whose current labels come from the set."""


def find_unfinished_runs(lake: Lake, finished: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The ``run.json`` of each frozen run of the lake that is not among the finished ones (schemas.Runs), by run id."""
    done = set(finished["run_id"])
    folders = list_folders(lake.path("staging"), lake.storage)
    names = [name for name in folders if TIMESTAMP.match(name) and name not in done]
    frozen = read_ahead(lambda name: read_frozen(lake, name), names, READS_AT_ONCE)
    return {name: run for name, reading in frozen if (run := reading.result()) is not None}


def find_collections(lake: Lake) -> pl.DataFrame:
    """A row of COLLECTIONS for each collection that has an index, by name."""
    finished = read_runs(lake)
    unfinished = find_unfinished_runs(lake, finished)
    sizes = {table: _sizes(lake, table) for table in ("index", "labels")}
    rows = []
    for folder in list_folders(lake.path("index"), lake.storage):
        name = folder.removeprefix("collection=")
        snapshot = find_snapshot(lake, name)
        if snapshot is None:  # its writer was killed, or is still writing
            continue
        runs = finished.filter(pl.col("collection") == name)
        newest = runs.row(-1, named=True) if runs.height else None
        footers = read_ahead(lambda url: read_whole_footer(url, lake.storage), snapshot.files, READS_AT_ONCE)
        rows.append(
            {
                "collection": name,
                "images": sum(reading.result().rows for _, reading in footers),
                "indexed_at": _time(snapshot.name),
                "snapshots": len(list_folders(lake.index_snapshots(name), lake.storage)),
                "sets": runs["description_set"].reverse().unique(maintain_order=True).to_list(),
                "classifiers": runs["classifier"].n_unique(),
                "runs": runs.height,
                "newest_run": newest and newest["run_id"],
                "finished_at": newest and newest["finished_at"],
                "done": newest and newest["already_done"] + newest["planned"],
                "is_up_to_date": newest and newest["snapshot"] == snapshot.name and not newest["left"],
                "unfinished_runs": [
                    {"run_id": run_id, "description_set": run["description_set"]}
                    for run_id, run in unfinished.items()
                    if run["collection"] == name
                ],
                "index_bytes": sizes["index"].get(folder, 0),
                "label_bytes": sizes["labels"].get(folder, 0),
            }
        )
    return pl.DataFrame(rows, schema=COLLECTIONS)


def find_sets(lake: Lake) -> pl.DataFrame:
    """A row of SETS for each description set, by name."""
    current = current_runs(read_runs(lake))
    sizes = _sizes(lake, "descriptions")
    rows = []
    for folder in list_folders(lake.path("descriptions"), lake.storage):
        name = folder.removeprefix("set=")
        versions = list_versions(lake, name)
        if not versions:
            continue
        texts = read_descriptions_table(lake, name, versions[-1])
        texts = texts.filter(pl.col("position") != LABEL_PROMPT_POSITION)
        users = current.filter(pl.col("description_set") == name)["collection"]
        rows.append(
            {
                "description_set": name,
                "classes": texts["class_name"].n_unique(),
                "texts": texts["drop_reason"].null_count(),
                "dropped": texts["drop_reason"].count(),
                "described_at": _time(versions[-1]),
                "backbone": read_embedded_set(lake, name, versions[-1]).backbone,
                "versions": len(versions),
                "collections": users.unique().sort().to_list(),
                "bytes": sizes.get(folder, 0),
            }
        )
    return pl.DataFrame(rows, schema=SETS)


def _sizes(lake: Lake, table: Table) -> dict[str, int]:
    """The bytes below each folder that is directly in the table, by name."""
    start = len(lake.path(table)) + 1
    sizes: dict[str, int] = {}
    for file in list_everything(lake.path(table), lake.storage):
        folder = file.url[start:].partition("/")[0]
        sizes[folder] = sizes.get(folder, 0) + file.size_bytes
    return sizes


def _time(name: str) -> datetime | None:
    """The time with which the name of a snapshot or a version begins."""
    found = TIMESTAMP.match(name)
    return datetime.strptime(found[0], TIME_FORMAT).replace(tzinfo=UTC) if found else None
