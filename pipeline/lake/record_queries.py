"""Queries of what was done: runs, nights and decisions of people."""

from typing import Unpack

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.decision_status import compare_decisions, no_compared
from laketag.pipeline.lake.decisions import find_decided
from laketag.pipeline.lake.filters import NightFilter, RowFilter, check_names, select_runs, select_since
from laketag.pipeline.lake.nights import read_nights
from laketag.pipeline.lake.opened_lake import OpenedLake, Root, Storage, open_filtered
from laketag.pipeline.lake.paths import open_lake
from laketag.schemas import NONE_OF_THESE

OF_THE_RUN = ("collection", "description_set")
RUN_COLUMNS = (
    *(*OF_THE_RUN, "method", "planned", "left", "labelled", "failures", "forgotten"),
    *("images_per_s", "held_back_by", "flow_to_bare_ratio", "device_busy_fraction", "bytes_read"),
    *("seconds", "start_s", "starts", "seconds_per_million", "cost_per_million", "started_at", "finished_at"),
    *(
        "stages",
        "actors",
        "index_rows",
        "already_done",
        "settings",
        "models",
        "files",
        "file_rows",
        "file_sha256",
    ),
    *("keep", "kept_files", "kept_file_rows", "kept_file_sha256", "recalibrated", "made_from", "encoder"),
    *(
        "laketag_version",
        "calibration",
        "snapshot",
        "snapshot_removed",
        "description_version",
        "writer",
        "run_id",
        "classifier",
    ),
)
NIGHT_COLUMNS = (
    *(*OF_THE_RUN, "exit_code", "labelled", "failures", "left", "verified", "finished_at"),
    *("images", "new", "changed", "gone", "embedded", "planned", "started_at"),
    *("index_s", "describe_s", "label_s", "verify_s"),
    *("runs", "description_version", "laketag_version", "night_id"),
)


DECISION_COLUMNS = (
    *("uri", "verdict", "label", "status", "decided_by", "decided_at", "tool"),
    *("collection", "description_set", "recorded_at", "decision_id", "image_id", "etag"),
)


def runs(root: Root, *, storage: Storage = None, **which: Unpack[RowFilter]) -> pl.LazyFrame:
    """Finished runs (schemas.Runs), oldest first."""
    _, finished = open_filtered(root, storage, which, RowFilter)
    return select_since(select_runs(finished, which).lazy(), "finished_at", which).select(RUN_COLUMNS)


def nights(root: Root, *, storage: Storage = None, **which: Unpack[NightFilter]) -> pl.LazyFrame:
    """What ``laketag nightly`` did (schemas.Nights), a row for each collection of each night, oldest first."""
    check_names(which, NightFilter)
    lake = root.lake if isinstance(root, OpenedLake) else open_lake(root, storage or StorageSettings())
    found = read_nights(lake)
    if found.is_empty():
        open_filtered(root, storage, {}, RowFilter)  # refuses a root that is no lake
    rows = found.lazy()
    names = {name: which.get(name) for name in OF_THE_RUN}
    wanted = rows.filter(*(pl.col(name) == value for name, value in names.items() if value is not None))
    return select_since(wanted, "finished_at", which).select(NIGHT_COLUMNS)


def decisions(root: Root, *, storage: Storage = None, **which: Unpack[NightFilter]) -> pl.LazyFrame:
    """All decisions of people (schemas.Decisions), oldest first: DECISION_COLUMNS.

    ``status`` is ``replaced`` if a newer decision about the same version of the image takes its place, and otherwise ``current``,
    ``stale`` or ``removed``, as of a label. ``label`` is NONE_OF_THESE as in ``labels``, and null of a withdrawn one.
    """
    check_names(which, NightFilter)
    lake = root.lake if isinstance(root, OpenedLake) else open_lake(root, storage or StorageSettings())
    wanted = [
        one
        for one in find_decided(lake)
        if which.get("collection") in (None, one.collection)
        and which.get("description_set") in (None, one.set_name)
    ]
    if not wanted:
        open_filtered(root, storage, {}, RowFilter)  # refuses a root that is no lake
    parts = [compare_decisions(one) for one in wanted] or [no_compared()]
    rows = pl.concat(parts).sort("decided_at", "recorded_at", "decision_id").lazy()
    is_none = pl.col("verdict") == "none_of_these"
    rows = rows.with_columns(label=pl.when(is_none).then(pl.lit(NONE_OF_THESE)).otherwise("label"))
    return select_since(rows, "decided_at", which).select(DECISION_COLUMNS)
