"""Queries of images: their labels, tags, failures, and how many there are of each class."""

from typing import Unpack

import polars as pl

from laketag.pipeline.lake.current_rows import REMOVED, STALE, scan_current
from laketag.pipeline.lake.decided_rows import CLASSIFIER, DECISION, HAS_ABSTAINED, hide_unaccepted
from laketag.pipeline.lake.filters import ClassFilter, FailureFilter, ImageFilter, select_class
from laketag.pipeline.lake.opened_lake import Root, Storage, open_filtered
from laketag.pipeline.lake.paths import Lake
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


def labels(root: Root, *, storage: Storage = None, **which: Unpack[ClassFilter]) -> pl.LazyFrame:
    """Images that have a label: LABEL_COLUMNS; ``true_class`` is the class that the index states, if any.

    ``source`` is ``decision`` where a person has decided the label, and otherwise ``classifier``; ``predicted`` is the label of
    the classifier. Where a person has decided that the image is of none of the classes, or no class was accepted for it, the
    label is NONE_OF_THESE.
    """
    return _labels(*open_filtered(root, storage, which, ClassFilter), which)


def unsure(root: Root, *, storage: Storage = None, **which: Unpack[ClassFilter]) -> pl.LazyFrame:
    """Images that have a label of the classifier, least sure first: by ``lead``, the probability of the first tag minus the
    second's."""
    rows = _labels(*open_filtered(root, storage, which, ClassFilter), which).filter(
        pl.col("source") == CLASSIFIER
    )
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
    rows = _labelled(*open_filtered(root, storage, which, ClassFilter), which).drop("label", "probability")
    if not which.get("also_abstained"):
        rows = rows.filter(~HAS_ABSTAINED)
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
    rows = scan_current(*open_filtered(root, storage, which, FailureFilter), which)
    failure = which.get("failure")
    failed = pl.col("failure").is_not_null() if failure is None else pl.col("failure") == failure
    return rows.filter(failed).select(FAILURE_COLUMNS)


def summary(root: Root, *, storage: Storage = None, **which: Unpack[ClassFilter]) -> pl.LazyFrame:
    """One row for each class that labels an image: images, mean probability, examples; the most frequent class first.

    ``stale`` and ``removed`` are how many of the images have this status, and ``decided`` how many labels a person has decided.
    The mean is that of the others, and of those that the classifier has given the same label.
    """
    rows = _labels(*open_filtered(root, storage, which, ClassFilter), which)
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


def _labels(lake: Lake, finished: pl.DataFrame, which: ClassFilter) -> pl.LazyFrame:
    rows = _labelled(lake, finished, which)
    if which.get("accepted"):
        names = pl.col("accepted").list.eval(pl.element().struct.field("label"))
        is_decided = (pl.col("source") == DECISION) & (pl.col("label") != NONE_OF_THESE)
        rows = rows.filter(is_decided | names.list.contains(pl.col("label")))
    elif not which.get("also_abstained"):
        rows = hide_unaccepted(rows)
    return select_class(rows, which)


def _labelled(lake: Lake, finished: pl.DataFrame, which: ImageFilter) -> pl.LazyFrame:
    return scan_current(lake, finished, which).filter(pl.col("label").is_not_null()).select(LABEL_COLUMNS)
