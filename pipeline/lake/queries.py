"""What a lake says: Polars LazyFrames over finished runs, on a folder or on S3.

    from laketag.pipeline.lake.queries import labels, sql
    labels("s3://bucket/lake", collection="photos").filter(pl.col("margin") > 1).collect(engine="streaming")

Readers start from ``runs/``: a run that is not finished is invisible, and exactly the files that runs name are
scanned. A call reads the runs (one small file each) and a footer; everything else waits for ``collect``.

**Current**: for each (collection, description set) the classifier of its newest run counts; older classifiers
are seen by naming one. Among that classifier's runs the newest row of an image wins. If it is a label the image
is in ``labels``, if it is a failure in ``failures``: together they are every image exactly once. With a single
run nothing needs comparing and rows stream; with more, the newest run of each image id is held in memory.

Every function takes the filters of ``Which`` by name, and ``storage`` for a store that AWS variables do not name.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict, Unpack

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_runs, scan_newest
from laketag.pipeline.store.filesystems import store_errors
from laketag.schemas import Labels

EXAMPLES = 3
"""URIs of each class in the summary, the most probable first."""
FROM_RUNS = ("collection", "description_set", "classifier")
"""Columns that every row of labels, tags, failures and summary has from its run."""
FAILURE_COLUMNS = ("failure", "failure_detail")


class Which(TypedDict, total=False):
    """Which rows are asked for; what is left out or None means any."""

    collection: str | None
    description_set: str | None
    classifier: str | None  # also one that is not current
    run: str | None  # exactly the rows of this run, also what later runs replaced
    since: datetime | None  # rows (of runs: those finished) at or after this time; UTC if it names no zone


@dataclass(frozen=True, kw_only=True)
class _Which:
    """Which, checked: an unknown filter is a TypeError."""

    collection: str | None = None
    description_set: str | None = None
    classifier: str | None = None
    run: str | None = None
    since: datetime | None = None

    @property
    def since_utc(self) -> datetime | None:
        return self.since.replace(tzinfo=UTC) if self.since and self.since.tzinfo is None else self.since


def runs(root: str, *, storage: StorageSettings | None = None, **which: Unpack[Which]) -> pl.LazyFrame:
    """Finished runs (schemas.Runs), oldest first."""
    return _chosen_runs(_lake(root, storage), _Which(**which)).lazy()


def labels(
    root: str,
    *,
    label: str | None = None,
    min_probability: float | None = None,
    storage: StorageSettings | None = None,
    **which: Unpack[Which],
) -> pl.LazyFrame:
    """Images whose newest row is a label: FROM_RUNS and the columns of schemas.Labels but for failures."""
    rows = _latest_rows(_lake(root, storage), _Which(**which)).filter(pl.col("label").is_not_null())
    if label is not None:
        rows = rows.filter(pl.col("label") == label)
    if min_probability is not None:
        rows = rows.filter(pl.col("probability") >= min_probability)
    return rows.drop(FAILURE_COLUMNS)


def tags(
    root: str,
    *,
    label: str | None = None,
    min_probability: float | None = None,
    storage: StorageSettings | None = None,
    **which: Unpack[Which],
) -> pl.LazyFrame:
    """One row for each image and each tag of at least that probability; rank 1 is the most probable."""
    rows = (
        labels(root, storage=storage, **which)
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
    if label is not None:
        rows = rows.filter(pl.col("tag") == label)
    return rows if min_probability is None else rows.filter(pl.col("probability") >= min_probability)


def failures(
    root: str,
    *,
    reason: str | None = None,
    storage: StorageSettings | None = None,
    **which: Unpack[Which],
) -> pl.LazyFrame:
    """Images whose newest row is a failure: where, which version, why, how often it was tried."""
    rows = _latest_rows(_lake(root, storage), _Which(**which)).filter(pl.col("failure").is_not_null())
    if reason is not None:
        rows = rows.filter(pl.col("failure") == reason)
    kept = ("image_id", "uri", "etag", *FAILURE_COLUMNS, "attempts", "run_id", "labelled_at")
    return rows.select(*FROM_RUNS, *kept)


def summary(
    root: str,
    *,
    label: str | None = None,
    min_probability: float | None = None,
    storage: StorageSettings | None = None,
    **which: Unpack[Which],
) -> pl.LazyFrame:
    """One row for each class that is a label: images, mean probability, examples; the most frequent class first."""
    rows = labels(root, label=label, min_probability=min_probability, storage=storage, **which)
    return (
        rows.group_by(*FROM_RUNS, "label")
        .agg(
            images=pl.len(),
            mean_probability=pl.col("probability").mean(),
            examples=pl.col("uri").top_k_by("probability", EXAMPLES),
        )
        .sort("images", *FROM_RUNS, "label", descending=[True, False, False, False, False])
    )


TABLES = (runs, labels, tags, failures, summary)
"""What ``sql`` knows, by these names."""


def sql(
    root: str, query: str, *, storage: StorageSettings | None = None, **which: Unpack[Which]
) -> pl.LazyFrame:
    """The query's answer, lazily; its tables are runs, labels, tags, failures and summary.

    InputError naming the tables and columns if the query does not fit them. What only shows when rows are read
    (a text that is no number, say) is raised by ``collect``.
    """

    def open_tables(wanted: Callable[[str], object]) -> dict[str, pl.LazyFrame]:
        return {
            table.__name__: table(root, storage=storage, **which)
            for table in TABLES
            if wanted(table.__name__)
        }

    if not re.match(r"\s*(select|with|from)\b", query, re.IGNORECASE):
        raise sql_error(ValueError(f"{query.strip()[:60]!r} is no SELECT"), open_tables(lambda _name: True))
    # opening one reads files
    named = open_tables(lambda name: re.search(rf"\b{name}\b", query, re.IGNORECASE))
    try:
        answer: pl.LazyFrame = pl.SQLContext(named, eager=False).execute(query)
        answer.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise sql_error(error, open_tables(lambda _name: True)) from None
    return answer


def sql_error(error: Exception, frames: dict[str, pl.LazyFrame]) -> InputError:
    """What is wrong with a query, with the tables and columns that there are."""
    known = [f"  {name}: {', '.join(frame.collect_schema().names())}" for name, frame in frames.items()]
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].partition("; valid columns")[0]
    return InputError("\n".join([f"SQL: {reason}; correct the query. Tables and columns:", *known]))


def _lake(root: str, storage: StorageSettings | None) -> Lake:
    return open_lake(root, storage or StorageSettings())


def _chosen_runs(lake: Lake, which: _Which) -> pl.DataFrame:
    found = read_runs(lake, which.collection, which.classifier)
    if which.description_set is not None:
        found = found.filter(pl.col("description_set") == which.description_set)
    if which.run is not None:
        found = found.filter(pl.col("run_id") == which.run)
    return found if which.since_utc is None else found.filter(pl.col("finished_at") >= which.since_utc)


def _latest_rows(lake: Lake, which: _Which) -> pl.LazyFrame:
    """The newest row of every image in the current runs, labels and failures alike: FROM_RUNS, schemas.Labels."""
    parts = []
    for names, current in _current_runs(read_runs(lake), which):
        with store_errors(lake.root):
            rows = scan_newest(lake, current)
        parts.append(rows.select(*(pl.lit(value).alias(name) for name, value in names.items()), pl.all()))
    rows = pl.concat(parts) if parts else _no_rows()
    rows = rows.with_columns(pl.col("failure").cast(pl.String))
    return rows if which.since_utc is None else rows.filter(pl.col("labelled_at") >= which.since_utc)


def _current_runs(found: pl.DataFrame, which: _Which) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
    """For each (collection, description set): both with the classifier that counts, and the runs to read.

    A classifier has one description set, so these runs are those of (collection, classifier).
    """
    wanted = found.filter(
        *(
            pl.col(name) == value
            for name, value in (
                ("collection", which.collection),
                ("description_set", which.description_set),
                ("classifier", which.classifier),
                ("run_id", which.run),
            )
            if value is not None
        )
    )
    newest = wanted.sort("run_id").unique(["collection", "description_set"], keep="last")
    for names in newest.sort("collection", "description_set").select(FROM_RUNS).iter_rows(named=True):
        same = (pl.col("collection") == names["collection"]) & (pl.col("classifier") == names["classifier"])
        yield names, found.filter(same if which.run is None else same & (pl.col("run_id") == which.run))


def _no_rows() -> pl.LazyFrame:
    """No row, with all the columns, so that a query over an empty lake has its answer."""
    empty = Labels.create_empty(lazy=True)
    return empty.select(*(pl.lit(None, pl.String).alias(name) for name in FROM_RUNS), pl.all())
