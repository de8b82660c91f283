"""Polars LazyFrames over the finished runs of a lake, in a folder or on S3.

    from laketag.pipeline.lake.queries import labels
    labels("s3://bucket/lake", collection="photos").filter(pl.col("margin") > 1).collect(engine="streaming")

Queries start from ``runs/``: they scan exactly the label files that finished runs name, so an unfinished run is
invisible. A call reads the table of runs (one small file each), the decisions and some footers; ``collect`` reads the rest.
An image whose current row (laketag.pipeline.lake.current_rows) is a label or a decision is in ``labels``, any other in
``failures``: together they hold every labelled or failed image of the index exactly once. The column ``status`` tells whether
the newest index has the image in the version of the row (``current``) or in another (``stale``, until it is labelled again). Rows
of images that it does not have (``removed``) come with ``also_removed=True``.

An image that has abstained, because a calibration accepted no class for it, is in ``labels`` with the label NONE_OF_THESE and
without probability; ``also_abstained=True`` shows its best class, and ``accepted=True`` only labels over their threshold.

Every function takes its filters (laketag.pipeline.lake.filters) as keywords, and ``storage`` if the AWS variables do not
name the store. Columns that only programs compare, such as ids, come last. InputError if the lake holds no finished run;
UnknownValueWarning if a filter names what the lake does not have.
"""

import shlex
from dataclasses import dataclass
from typing import Unpack

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.current_rows import REMOVED, STALE, scan_current
from laketag.pipeline.lake.decided_rows import CLASSIFIER, DECISION
from laketag.pipeline.lake.decision_status import compare_decisions, no_compared
from laketag.pipeline.lake.decisions import find_decided
from laketag.pipeline.lake.filters import (
    ClassFilter,
    FailureFilter,
    ImageFilter,
    NightFilter,
    RowFilter,
    check_names,
    select_class,
    select_runs,
    select_since,
    warn_unknown,
)
from laketag.pipeline.lake.nights import read_nights
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_runs
from laketag.schemas import NONE_OF_THESE

EXAMPLES = 3
"""URIs of each class in the summary, the most probable first."""
OF_THE_RUN = ("collection", "description_set")
IDS = ("image_id", "etag", "run_id", "classifier")
LABEL_COLUMNS = (
    *("uri", "label", "probability", "tags", "accepted", "abstained", "calibrated_probability", "source", "predicted"),
    *("true_class", "status", "margin", "score", "tag_scores", "conformal_set", "evidence"),
    *("tier", "crops", "width_px", "height_px"),
    *(*OF_THE_RUN, "labelled_at", "attempts", *IDS),
)  # fmt: skip
TAG_COLUMNS = (
    *("uri", "label", "probability", "rank", "standard_score", "source", "predicted", "true_class", "status"),
    *(*OF_THE_RUN, "image_id", "run_id", "classifier"),
)  # fmt: skip
SAME_TAG = ("label", *OF_THE_RUN, "image_id", "run_id")
FAILURE_COLUMNS = (
    *("uri", "failure", "failure_detail", "true_class", "status"),
    *(*OF_THE_RUN, "labelled_at", "attempts", "earlier_attempts", "failure_depended_on", *IDS),
)
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
    *("keep", "kept_files", "kept_file_rows", "kept_file_sha256"),
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

HAS_LABEL = ~pl.col("abstained").fill_null(value=False) | (pl.col("source") == DECISION)
"""Whether an image has not abstained, or a person has decided its label."""


@dataclass(frozen=True, eq=False)
class OpenedLake:
    """A lake whose finished runs were read already, so that several queries of one command read them once."""

    lake: Lake
    finished: pl.DataFrame
    """schemas.Runs, oldest first."""


Root = str | OpenedLake
Storage = StorageSettings | None


def runs(root: Root, *, storage: Storage = None, **which: Unpack[RowFilter]) -> pl.LazyFrame:
    """Finished runs (schemas.Runs), oldest first."""
    _, finished = _open(root, storage, which, RowFilter)
    return select_since(select_runs(finished, which).lazy(), "finished_at", which).select(RUN_COLUMNS)


def nights(root: Root, *, storage: Storage = None, **which: Unpack[NightFilter]) -> pl.LazyFrame:
    """What ``laketag nightly`` did (schemas.Nights), a row for each collection of each night, oldest first."""
    check_names(which, NightFilter)
    lake = root.lake if isinstance(root, OpenedLake) else open_lake(root, storage or StorageSettings())
    found = read_nights(lake)
    if found.is_empty():
        _open(root, storage, {}, RowFilter)  # refuses a root that is no lake
    rows = found.lazy()
    names = {name: which.get(name) for name in OF_THE_RUN}
    wanted = rows.filter(*(pl.col(name) == value for name, value in names.items() if value is not None))
    return select_since(wanted, "finished_at", which).select(NIGHT_COLUMNS)


def labels(root: Root, *, storage: Storage = None, **which: Unpack[ClassFilter]) -> pl.LazyFrame:
    """Images that have a label: LABEL_COLUMNS; ``true_class`` is the class that the index states, if any.

    ``source`` is ``decision`` where a person has decided the label, and otherwise ``classifier``; ``predicted`` is the label of
    the classifier. A decision that the image is of none of the classes makes the label null.
    """
    return _labels(*_open(root, storage, which, ClassFilter), which)


def unsure(root: Root, *, storage: Storage = None, **which: Unpack[ClassFilter]) -> pl.LazyFrame:
    """Images that have a label of the classifier, least sure first: by ``lead``, the probability of the first tag minus the
    second's."""
    rows = _labels(*_open(root, storage, which, ClassFilter), which).filter(pl.col("source") == CLASSIFIER)
    second = pl.col("tags").list.get(1, null_on_oob=True).struct.field("probability")
    lead = (pl.col("probability") - second.fill_null(0)).alias("lead")
    names = ("uri", "label", "probability", "lead")
    found = rows.with_columns(lead).select(*names, pl.exclude(names))
    return found.sort("lead", "uri", *OF_THE_RUN, nulls_last=True)


def tags(root: Root, *, storage: Storage = None, **which: Unpack[ClassFilter]) -> pl.LazyFrame:
    """One row for each image and each of its tags: TAG_COLUMNS; rank 1 is the label of the image.

    A decided image has the decided class as its only tag, or none. An image that has abstained has rows only with
    ``also_abstained``. With ``accepted`` there is a row for each accepted class, the best first, also for those that are not
    among the tags and have no probability.
    """
    rows = _labelled(*_open(root, storage, which, ClassFilter), which).drop("label", "probability")
    if not which.get("also_abstained"):
        rows = rows.filter(HAS_LABEL)
    is_decided = pl.col("source") == DECISION
    tag, count = pl.col("tags").struct, pl.col("tags").list.len()
    alone = pl.when(~is_decided).then("tag_scores").fill_null(pl.lit([], pl.List(pl.Float32)))
    padded = pl.concat_list(alone, pl.col("tags").list.eval(pl.lit(None, pl.Float32)))
    ranked = rows.with_columns(
        rank=pl.int_ranges(1, count + 1, dtype=pl.Int32), standard_score=padded.list.head(count)
    )
    exploded = ranked.explode("tags", "rank", "standard_score", empty_as_null=False)
    named = exploded.with_columns(tag.field("label"), tag.field("probability")).select(TAG_COLUMNS)
    if which.get("accepted"):
        own = rows.filter(~is_decided, pl.col("accepted").list.len() > 0).drop("score")
        own = own.explode("accepted").unnest("accepted").rename({"score": "standard_score"})
        known = named.select(*SAME_TAG, "probability", "rank")
        over = own.join(known, on=SAME_TAG, how="left", maintain_order="left").select(TAG_COLUMNS)
        named = pl.concat([over, named.filter(is_decided)])
    return select_class(named, which)


def failures(root: Root, *, storage: Storage = None, **which: Unpack[FailureFilter]) -> pl.LazyFrame:
    """Images that have no label: FAILURE_COLUMNS; why, and how often they were tried."""
    rows = scan_current(*_open(root, storage, which, FailureFilter), which)
    failure = which.get("failure")
    failed = pl.col("failure").is_not_null() if failure is None else pl.col("failure") == failure
    return rows.filter(failed, pl.col("source") == CLASSIFIER).select(FAILURE_COLUMNS)


def summary(root: Root, *, storage: Storage = None, **which: Unpack[ClassFilter]) -> pl.LazyFrame:
    """One row for each class that labels an image: images, mean probability, examples; the most frequent class first.

    ``stale`` and ``removed`` are how many of the images have this status, and ``decided`` how many labels a person has decided.
    The mean is that of the others, and of those that the classifier has given the same label.
    """
    rows = _labels(*_open(root, storage, which, ClassFilter), which)
    group = ("label", *OF_THE_RUN, "classifier")
    counted = rows.group_by(group).agg(
        images=pl.len(),
        stale=(pl.col("status") == STALE).sum(),
        removed=(pl.col("status") == REMOVED).sum(),
        decided=(pl.col("source") == DECISION).sum(),
        mean_probability=pl.col("probability").mean(),
        examples=pl.col("uri").top_k_by("probability", EXAMPLES),
    )
    by = (*OF_THE_RUN, "classifier", "label")
    return counted.select(
        "label", "images", "mean_probability", "examples", "stale", "removed", "decided", *group[1:]
    ).sort("images", *by, descending=[True, *(False for _ in by)])


def decisions(root: Root, *, storage: Storage = None, **which: Unpack[NightFilter]) -> pl.LazyFrame:
    """All decisions of people (schemas.Decisions), oldest first: DECISION_COLUMNS.

    ``status`` is ``replaced`` if a newer decision about the same version of the image takes its place, and otherwise ``current``,
    ``stale`` or ``removed``, as of a label.
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
        _open(root, storage, {}, RowFilter)  # refuses a root that is no lake
    parts = [compare_decisions(one) for one in wanted] or [no_compared()]
    rows = pl.concat(parts).sort("decided_at", "recorded_at", "decision_id").lazy()
    return select_since(rows, "decided_at", which).select(DECISION_COLUMNS)


TABLES = {
    table.__name__: table for table in (runs, nights, labels, unsure, tags, failures, summary, decisions)
}
"""The queries without SQL, by name."""


def open_runs(root: str, storage: Storage) -> OpenedLake:
    """The lake at the root and its finished runs; an InputError if there are none."""
    lake = open_lake(root, storage or StorageSettings())
    finished = read_runs(lake)
    if finished.is_empty():
        raise InputError(
            f"{root} holds no finished run, so there is nothing to query; correct the root, or label with: "
            f"laketag label --root {shlex.quote(root)} --collection C --set S"
        )
    return OpenedLake(lake, finished)


def _open(
    root: Root, storage: Storage, which: RowFilter, known: type[RowFilter]
) -> tuple[Lake, pl.DataFrame]:
    """The lake and its finished runs, oldest first; the filters were checked."""
    check_names(which, known)
    opened = root if isinstance(root, OpenedLake) else open_runs(root, storage)
    warn_unknown(opened.lake, opened.finished, which)
    return opened.lake, opened.finished


def _labels(lake: Lake, finished: pl.DataFrame, which: ClassFilter) -> pl.LazyFrame:
    rows = _labelled(lake, finished, which)
    if which.get("accepted"):
        names = pl.col("accepted").list.eval(pl.element().struct.field("label"))
        is_decided = (pl.col("source") == DECISION) & pl.col("label").is_not_null()
        rows = rows.filter(is_decided | names.list.contains(pl.col("label")))
    elif not which.get("also_abstained"):
        label = pl.when(HAS_LABEL).then("label").otherwise(pl.lit(NONE_OF_THESE)).alias("label")
        stated = ("probability", "calibrated_probability")
        rows = rows.with_columns(label, *(pl.when(HAS_LABEL).then(name).alias(name) for name in stated))
    return select_class(rows, which)


def _labelled(lake: Lake, finished: pl.DataFrame, which: ImageFilter) -> pl.LazyFrame:
    has_label = pl.col("label").is_not_null() | (pl.col("source") == DECISION)
    return scan_current(lake, finished, which).filter(has_label).select(LABEL_COLUMNS)
