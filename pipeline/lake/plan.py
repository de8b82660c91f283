"""Which images a run has to label: the index minus what finished runs of the same classifier have done."""

import hashlib
import heapq
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

from laketag.pipeline.lake.hashed_ids import id_key, version_key
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.retries import RetryRules
from laketag.pipeline.lake.runs import scan_labels, scan_newest
from laketag.pipeline.lake.snapshots import Snapshot, scan_snapshot
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Plan

SAMPLE_KEY = b"laketag sample 1"
"""Keys the order in which images are drawn for a sample. Never change it: a larger sample would not hold a smaller one."""
AUTOMATIC_RETRIES = RetryRules()
Reason = Literal["new", "changed", "tried again", "other classifier"]
"""Why an image is pending: it was never labelled with the set; its version is another one; it failed; or other weights,
settings, descriptions or another revision of laketag labelled it."""


@dataclass(frozen=True)
class Pending:
    """What a run has to label."""

    rows: pl.DataFrame
    """schemas.Plan, in the order of the index."""
    index_rows: int
    failed: dict[str, int]
    """The images of the index that are done but have no label, by reason, the most frequent first."""
    carried: int = 0
    """Images that are not done and could not be looked at by the index: they wait for the next one."""


def find_pending(
    lake: Lake, snapshot: Snapshot, runs: pl.DataFrame, rules: RetryRules = AUTOMATIC_RETRIES
) -> Pending:
    """The rows of the snapshot that none of the runs has done in this version of the image.

    The runs are all that have finished for the collection and classifier, in the order of read_runs.

    Images that could not be looked at by the index are not among them: they could only fail.
    An image is done if its newest row has this etag and either a label or a failure that the rules do not try again.
    """
    # the scans are made anew for each try, because each holds the credentials of its time
    return through_outages(lake.root, lake.storage, lambda: _find_pending(lake, snapshot, runs, rules))


def _find_pending(lake: Lake, snapshot: Snapshot, runs: pl.DataFrame, rules: RetryRules) -> Pending:
    newest = _find_newest(lake, runs, rules)
    done = newest.filter("is_done")
    again = newest.filter(~pl.col("is_done")).select("key", "earlier_attempts")
    index = scan_snapshot(lake, snapshot).with_columns(key=version_key())
    rows = (
        index.join(done.lazy(), on="key", how="anti", maintain_order="left")
        .join(again.lazy(), on="key", how="left", maintain_order="left")
        .select(*Plan.column_names(), pl.col("carried").fill_null(value=False))
    )
    reasons = done.select("key", pl.col("failure").cast(pl.String)).drop_nulls().lazy()
    failed = index.select("key").join(reasons, on="key").group_by("failure").len()
    undone = rows.collect(engine="streaming")
    images = index.select(pl.len()).collect().item()
    counts = failed.sort("len", "failure", descending=[True, False]).collect(engine="streaming")
    plan = undone.filter(~pl.col("carried")).drop("carried")
    return Pending(plan, images, dict(counts.iter_rows()), undone.height - plan.height)


def _find_newest(lake: Lake, runs: pl.DataFrame, rules: RetryRules) -> pl.DataFrame:
    """The newest outcome of each image: a hash of its id and etag, and what it says of a further try."""
    ages = runs.select("run_id").with_row_index("age")
    is_done = pl.col("failure").is_null() | rules.is_final()
    rows = scan_labels(lake, runs).select(
        "failure",
        id=id_key(),
        key=version_key(),
        age=pl.col("run_id").replace_strict(ages["run_id"], ages["age"], return_dtype=pl.UInt32),
        is_done=is_done,
        earlier_attempts=pl.when(~is_done).then(rules.earlier_attempts()),
    )
    found = rows.collect(engine="streaming")
    if runs.height > 1 and found.height:  # most rows are of one run, and few images have several
        is_of_largest = pl.col("age") == found["age"].mode().first()
        most, others = found.filter(is_of_largest), found.filter(~is_of_largest)
        once = most.join(others, on="id", how="anti")
        several = pl.concat([most.join(others, on="id", how="semi"), others])
        found = pl.concat([once, several.sort("age").unique("id", keep="last")])
    return found.drop("id", "age")


def draw_sample(pending: pl.DataFrame, images: int | None) -> pl.DataFrame:
    """This number of the rows, in their order, drawn at random by a keyed hash of the image's id; all without a number.

    The same rows and number give the same images, and a larger number gives all images of a smaller one.
    """
    if images is None or images >= pending.height:
        return pending
    drawn = (
        hashlib.blake2b(name.encode(), digest_size=16, key=SAMPLE_KEY).digest()
        for name in pending["image_id"]
    )
    smallest = heapq.nsmallest(images, zip(drawn, range(pending.height), strict=False))
    return pending[sorted(row for _, row in smallest)]


def count_reasons(
    lake: Lake, pending: pl.DataFrame, own: pl.DataFrame, others: pl.DataFrame
) -> dict[Reason, int]:
    """How many pending images there are for each reason, if ``own`` are the runs of the classifier and ``others`` those of
    other classifiers with the same description set."""
    key = ["image_id"]
    reason = (
        pl.when(pl.col("is_own") & pl.col("labelled_etag").eq_missing(pl.col("etag")))
        .then(pl.lit("tried again"))
        .when(pl.col("is_own"))
        .then(pl.lit("changed"))
        .when(pl.col("is_others"))
        .then(pl.lit("other classifier"))
        .otherwise(pl.lit("new"))
    )

    def count() -> dict[Reason, int]:
        labelled = scan_newest(lake, own).select("image_id", labelled_etag="etag", is_own=True)
        elsewhere = scan_labels(lake, others).select("image_id", is_others=True).unique()
        rows = pending.lazy().join(labelled, on=key, how="left").join(elsewhere, on=key, how="left")
        return dict(rows.group_by(reason.alias("reason")).len().collect().iter_rows())

    counts = through_outages(lake.root, lake.storage, count)
    return {name: counts[name] for name in get_args(Reason) if name in counts}
