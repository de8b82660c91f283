"""What a report is made of, read from the tables of a lake."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from laketag.pipeline.descriptions.same_classes import find_same_classes
from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.lake.current_rows import find_decisions, scan_current
from laketag.pipeline.lake.decided_rows import decide_rows, hide_unaccepted
from laketag.pipeline.lake.description_versions import read_descriptions_table
from laketag.pipeline.lake.filters import ImageFilter, name_known
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import current_runs, read_runs, scan_labels, scan_newest
from laketag.pipeline.lake.snapshots import find_snapshot, scan_snapshot
from laketag.pipeline.reporting.changes import Changes, compare_labels
from laketag.pipeline.reporting.choices import Choices, Limits, choose_images
from laketag.pipeline.reporting.counts import Counts, count_rows
from laketag.pipeline.reporting.rates import rate_over_time
from laketag.pipeline.store.errors import store_errors
from laketag.schemas import LABEL_PROMPT_POSITION

MOST_RUNS = 20
STATED = ("probability", "calibrated_probability")
"""Numbers that the page shows of accepted labels only. Margin and evidence of an abstained image are those of its best class."""


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What a report is about."""

    collection: str
    description_set: str | None = None
    """By default the one that labelled the collection last."""
    run_id: str | None = None
    """Exactly the rows of this run; by default the current labels."""
    against: str | None = None
    """The run that labels are compared with; by default the last one of another classifier, else the one before."""


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """What the tables tell. Its size depends on the number of classes and on Limits only."""

    lake: Lake
    run: dict[str, Any]
    """The run (schemas.Runs) that labelled, or the newest one of several."""
    is_whole_run: bool
    """Whether the rows are those of one run, because it was named."""
    runs: list[dict[str, Any]]
    """The newest runs of the collection and the set, the newest first."""
    index_images: int | None
    """Images of the newest snapshot; None if there is none any more."""
    counts: Counts
    rates: list[tuple[datetime, float]]
    choices: Choices
    shown: pl.DataFrame
    """The rows of all images that are shown, with ``size_bytes`` and ``before``, the label of before."""
    changes: Changes | None
    against: dict[str, Any] | None
    """The run that they are compared with."""
    notices: list[str]


def read_facts(lake: Lake, request: ReportRequest, limits: Limits) -> ReportFacts:
    """The facts; an InputError if the lake has no such collection, set or run."""
    finished = read_runs(lake)
    of_collection = _select(lake, finished, "collection", request.collection)
    if request.description_set is not None:
        of_collection = _select(lake, of_collection, "description_set", request.description_set)
    if request.run_id is not None:
        run = _select(lake, of_collection, "run_id", request.run_id).row(-1, named=True)
    else:
        newest = current_runs(of_collection).sort("finished_at")
        run = newest.row(-1, named=True)
    of_set = of_collection.filter(pl.col("description_set") == run["description_set"])
    which = ImageFilter(
        collection=run["collection"],
        description_set=run["description_set"],
        classifier=run["classifier"],
        run_id=request.run_id,
    )
    with store_errors(lake.root):
        notices: list[str] = []
        rows = hide_unaccepted(scan_current(lake, finished, which), STATED)
        rows = _spell_as_in_set(lake, rows, run, notices)
        counts = count_rows(rows)
        choices = choose_images(rows, counts, limits)
        changes = None
        against = _choose_against(lake, request, of_set, run)
        earlier: pl.LazyFrame | None = None
        if against is not None:
            earlier = _rows_of(lake, of_set, against, whole=against["classifier"] != run["classifier"])
            earlier = hide_unaccepted(decide_rows(earlier, find_decisions(lake, run, which)))
            changes = compare_labels(rows, earlier, limits)
            choices = Choices(
                choices.sheets, choices.lowest, choices.pairs, choices.failures, changes.examples
            )
        index_images = _count_index(lake, request.collection)
        own = finished.filter(pl.col("run_id") == run["run_id"])
        return ReportFacts(
            lake=lake,
            run=run,
            is_whole_run=request.run_id is not None,
            runs=of_set.tail(MOST_RUNS).reverse().to_dicts(),
            index_images=index_images,
            counts=counts,
            rates=rate_over_time(scan_labels(lake, own)),
            choices=choices,
            shown=_read_shown(lake, rows, earlier, choices, request.collection),
            changes=changes,
            against=against,
            notices=notices,
        )


def _select(lake: Lake, runs: pl.DataFrame, column: str, value: str) -> pl.DataFrame:
    """Those of the runs with this value; an InputError that names the others if there are none."""
    found = runs.filter(pl.col(column) == value)
    if found.is_empty():
        nouns = {"collection": "collections", "description_set": "description sets", "run_id": "runs"}[column]
        known = name_known(value, set(runs[column]), nouns)
        following = f"; {known}"
        if runs.is_empty():
            following = f", nor any other; label with: laketag label --root {shlex.quote(lake.root)} --collection C --set S"
        raise InputError(
            f"{lake.root} has no finished run of {column.replace('_', ' ')} {value!r}{following}"
        )
    return found


def _spell_as_in_set(lake: Lake, rows: pl.LazyFrame, run: dict[str, Any], notices: list[str]) -> pl.LazyFrame:
    """The rows with ``true_class`` as the description set spells it; null where it has no such class."""
    classes = rows.select("true_class").drop_nulls().unique().collect(engine="streaming")["true_class"]
    if classes.is_empty():
        return rows
    try:
        table = read_descriptions_table(lake, run["description_set"], run["description_version"])
        names = table.filter(pl.col("position") == LABEL_PROMPT_POSITION)["class_name"].to_list()
    except (StorageError, FileNotFoundError):  # removed since
        names = rows.select("label").drop_nulls().unique().collect(engine="streaming")["label"].to_list()
    same = find_same_classes(classes.sort(), names)
    if same.missing:
        notices.append(
            f"{len(same.missing):,} of {len(classes):,} true classes are no class of set {run['description_set']}; "
            "their images count as images without a true class"
        )
    return rows.with_columns(
        pl.col("true_class").replace_strict(dict(same.found), default=None, return_dtype=pl.String)
    )


def _choose_against(
    lake: Lake, request: ReportRequest, of_set: pl.DataFrame, run: dict[str, Any]
) -> dict[str, Any] | None:
    if request.against is not None:
        return _select(lake, of_set, "run_id", request.against).row(-1, named=True)
    earlier = of_set.filter(
        (pl.col("finished_at") <= run["finished_at"])
        & (pl.col("run_id") != run["run_id"])
        & (pl.col("labelled") > 0)
    )
    of_others = earlier.filter(pl.col("classifier") != run["classifier"])
    chosen = of_others if of_others.height else earlier
    return chosen.row(-1, named=True) if chosen.height else None


def _rows_of(lake: Lake, runs: pl.DataFrame, run: dict[str, Any], *, whole: bool) -> pl.LazyFrame:
    """The rows of a run, or with ``whole`` the newest ones of its classifier up to this run."""
    own = runs.filter(pl.col("run_id") == run["run_id"])
    if whole:
        own = runs.filter(
            (pl.col("classifier") == run["classifier"]) & (pl.col("finished_at") <= run["finished_at"])
        )
    return scan_newest(lake, own).with_columns(pl.col("failure").cast(pl.String))


def _count_index(lake: Lake, collection: str) -> int | None:
    snapshot = find_snapshot(lake, collection)
    if snapshot is None:
        return None
    return int(scan_snapshot(lake, snapshot).select(pl.len()).collect(engine="streaming").item())


def _read_shown(
    lake: Lake,
    rows: pl.LazyFrame,
    earlier: pl.LazyFrame | None,
    choices: Choices,
    collection: str,
) -> pl.DataFrame:
    ids: Sequence[str] = [*choices.labelled, *(one for ids in choices.failures.values() for one in ids)]
    is_shown = pl.col("image_id").is_in(ids)
    shown = rows.filter(is_shown).collect(engine="streaming")
    empty = pl.DataFrame(schema={"image_id": pl.String, "size_bytes": pl.Int64})
    snapshot = find_snapshot(lake, collection)
    sizes = empty
    if snapshot is not None:
        index = scan_snapshot(lake, snapshot).filter(is_shown).select("image_id", "size_bytes")
        sizes = index.collect(engine="streaming")
    before = pl.DataFrame(schema={"image_id": pl.String, "before": pl.String})
    if earlier is not None:
        before = earlier.filter(is_shown).select("image_id", before="label").collect(engine="streaming")
    return shown.join(sizes, on="image_id", how="left").join(before, on="image_id", how="left")
