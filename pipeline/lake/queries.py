"""Polars LazyFrames over the finished runs of a lake, in a folder or on S3.

    from laketag.pipeline.lake.queries import labels, sql
    labels("s3://bucket/lake", collection="photos").filter(pl.col("margin") > 1).collect(engine="streaming")

Queries start from ``runs/``: they scan exactly the label files that finished runs name, so an unfinished run is
invisible. A call reads the table of runs (one small file each) and one footer; ``collect`` reads the rest.

**Current rows**: for each (collection, description set) only the classifier of the newest run counts; name an older
classifier to see its rows. Among the runs of that classifier, the newest row of each image counts. An image whose newest
row is a label is in ``labels``, any other is in ``failures``: together they hold every image exactly once. The rows of a
single run are streamed; with several runs, the newest run of each image id is held in memory.

Every function takes the filters of ``RowFilter`` as keywords, and ``storage`` if the AWS variables do not name the store.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TypedDict, Unpack

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_runs, scan_newest
from laketag.pipeline.store.errors import store_errors
from laketag.schemas import Failure, Labels

EXAMPLES = 3
"""URIs of each class in the summary, the most probable first."""
FROM_RUNS = ("collection", "description_set", "classifier")
"""Columns of the run that labels, tags, failures and summary begin with."""
FAILURE_COLUMNS = ("failure", "failure_detail")


class RowFilter(TypedDict, total=False):
    """Which rows a query returns; a filter that is left out or None matches all rows."""

    collection: str | None
    description_set: str | None
    classifier: str | None  # also one that is not current
    run: str | None  # exactly the rows of this run, including those that later runs replaced
    since: datetime | None  # rows labelled (runs: finished) at or after this time; UTC if it has no time zone


class ClassFilter(RowFilter, total=False):
    """Which classes a query returns, besides RowFilter."""

    label: str | None
    min_probability: float | None


class FailureFilter(RowFilter, total=False):
    """Which failures a query returns, besides RowFilter."""

    reason: Failure | None


def runs(root: str, *, storage: StorageSettings | None = None, **which: Unpack[RowFilter]) -> pl.LazyFrame:
    """Finished runs (schemas.Runs), oldest first."""
    _check_names(which, RowFilter)
    found = _select_runs(read_runs(_open(root, storage)), which)
    return _since(found.lazy(), "finished_at", which)


def labels(
    root: str, *, storage: StorageSettings | None = None, **which: Unpack[ClassFilter]
) -> pl.LazyFrame:
    """Images whose newest row is a label: FROM_RUNS and the columns of schemas.Labels except FAILURE_COLUMNS."""
    _check_names(which, ClassFilter)
    return _of_class(_labelled(root, storage, which), "label", which)


def tags(root: str, *, storage: StorageSettings | None = None, **which: Unpack[ClassFilter]) -> pl.LazyFrame:
    """One row for each image and each of its tags; rank 1 is the label."""
    _check_names(which, ClassFilter)
    rows = (
        _labelled(root, storage, which)
        .select(*FROM_RUNS, "image_id", "uri", "tags", "run_id")
        .with_columns(rank=pl.int_ranges(1, pl.col("tags").list.len() + 1, dtype=pl.Int32))
        .explode("tags", "rank")
        .select(
            *FROM_RUNS,
            "image_id",
            "uri",
            pl.col("tags").struct.field("label").alias("tag"),
            pl.col("tags").struct.field("probability"),
            "rank",
            "run_id",
        )
    )
    return _of_class(rows, "tag", which)


def failures(
    root: str, *, storage: StorageSettings | None = None, **which: Unpack[FailureFilter]
) -> pl.LazyFrame:
    """Images whose newest row is a failure: their URI and version, the reason, and how often they were tried."""
    _check_names(which, FailureFilter)
    rows = _latest_rows(root, storage, which).filter(pl.col("failure").is_not_null())
    if (reason := which.get("reason")) is not None:
        rows = rows.filter(pl.col("failure") == reason)
    kept = ("image_id", "uri", "etag", *FAILURE_COLUMNS, "attempts", "run_id", "labelled_at")
    return rows.select(*FROM_RUNS, *kept)


def summary(
    root: str, *, storage: StorageSettings | None = None, **which: Unpack[ClassFilter]
) -> pl.LazyFrame:
    """One row for each class that labels an image: images, mean probability, examples; the most frequent class first."""
    return (
        labels(root, storage=storage, **which)
        .group_by(*FROM_RUNS, "label")
        .agg(
            images=pl.len(),
            mean_probability=pl.col("probability").mean(),
            examples=pl.col("uri").top_k_by("probability", EXAMPLES),
        )
        .sort("images", *FROM_RUNS, "label", descending=[True, False, False, False, False])
    )


TABLES = {table.__name__: table for table in (runs, labels, tags, failures, summary)}
"""The tables of ``sql``, by name."""


def sql(
    root: str, query: str, *, storage: StorageSettings | None = None, **which: Unpack[RowFilter]
) -> pl.LazyFrame:
    """The result of a SELECT over the tables runs, labels, tags, failures and summary, lazily.

    InputError listing the tables and their columns if the query does not fit them. ``collect`` raises what depends on
    the rows (for example a text that cannot be cast to a number).
    """

    def open_tables(names: Collection[str]) -> dict[str, pl.LazyFrame]:
        return {name: TABLES[name](root, storage=storage, **which) for name in names}

    if not re.match(r"\s*(select|with|from)\b", query, re.IGNORECASE):
        raise sql_error(ValueError(f"{query.strip()[:60]!r} is no SELECT"), open_tables(TABLES))
    # opening a table reads files, so only those that the query may mention
    named = open_tables([name for name in TABLES if re.search(rf"\b{name}\b", query, re.IGNORECASE)])
    try:
        result: pl.LazyFrame = pl.SQLContext(named, eager=False).execute(query)
        result.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise sql_error(error, open_tables(TABLES)) from None
    return result


def sql_error(error: Exception, frames: Mapping[str, pl.LazyFrame]) -> InputError:
    """An InputError with what is wrong with a query and the tables and columns that exist."""
    known = [f"  {name}: {', '.join(frame.collect_schema().names())}" for name, frame in frames.items()]
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].partition("; valid columns")[0]
    return InputError("\n".join([f"SQL: {reason}; correct the query. Tables and columns:", *known]))


def _open(root: str, storage: StorageSettings | None) -> Lake:
    return open_lake(root, storage or StorageSettings())


def _check_names(which: Mapping[str, object], known: type[RowFilter]) -> None:
    """Python does not check the keywords of an unpacked TypedDict: a misspelt filter must not match all rows."""
    if unknown := which.keys() - known.__annotations__:
        names = ", ".join(sorted(known.__annotations__))
        raise TypeError(f"no filter {', '.join(sorted(unknown))}; choose from {names}")


def _select_runs(found: pl.DataFrame, which: RowFilter) -> pl.DataFrame:
    """Those of the runs that the filters name, in the same order; ``since`` is not applied."""
    wanted = {
        "collection": which.get("collection"),
        "description_set": which.get("description_set"),
        "classifier": which.get("classifier"),
        "run_id": which.get("run"),
    }
    return found.filter(*(pl.col(name) == value for name, value in wanted.items() if value is not None))


def _since(rows: pl.LazyFrame, column: str, which: RowFilter) -> pl.LazyFrame:
    since = which.get("since")
    if since is None:
        return rows
    return rows.filter(pl.col(column) >= (since if since.tzinfo else since.replace(tzinfo=UTC)))


def _of_class(rows: pl.LazyFrame, column: str, which: ClassFilter) -> pl.LazyFrame:
    if (label := which.get("label")) is not None:
        rows = rows.filter(pl.col(column).is_in([label, normalise_text(label)]))
    if (min_probability := which.get("min_probability")) is not None:
        rows = rows.filter(pl.col("probability") >= min_probability)
    return rows


def _labelled(root: str, storage: StorageSettings | None, which: RowFilter) -> pl.LazyFrame:
    return _latest_rows(root, storage, which).filter(pl.col("label").is_not_null()).drop(FAILURE_COLUMNS)


def _latest_rows(root: str, storage: StorageSettings | None, which: RowFilter) -> pl.LazyFrame:
    """The newest row of every image in the current runs, labels and failures: FROM_RUNS, then schemas.Labels.

    A classifier has one description set, so the runs of a (collection, classifier) have one description set too.
    """
    lake = _open(root, storage)
    finished = read_runs(lake)
    current = _select_runs(finished, which).unique(["collection", "description_set"], keep="last")
    parts = []
    for names in current.sort("collection", "description_set").select(FROM_RUNS).iter_rows(named=True):
        same_classifier = RowFilter(
            collection=names["collection"], classifier=names["classifier"], run=which.get("run")
        )
        with store_errors(lake.root):
            rows = scan_newest(lake, _select_runs(finished, same_classifier))
        parts.append(rows.select(*(pl.lit(value).alias(name) for name, value in names.items()), pl.all()))
    rows = pl.concat(parts) if parts else _no_rows()
    return _since(rows.with_columns(pl.col("failure").cast(pl.String)), "labelled_at", which)


def _no_rows() -> pl.LazyFrame:
    """No rows, but all columns, so that queries of an empty lake return the same columns."""
    empty = Labels.create_empty(lazy=True)
    return empty.select(*(pl.lit(None, pl.String).alias(name) for name in FROM_RUNS), pl.all())
