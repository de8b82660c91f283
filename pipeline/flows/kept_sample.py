"""The images of a sample whose scores runs of the same classifier have kept: no pixel of them is read again."""

import numpy as np
import polars as pl

from laketag.pipeline.calibration.shares import ShareRule
from laketag.pipeline.classifier.choose_classifier import ChosenClassifier, find_share_rule
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.score_images import ScoredImages
from laketag.pipeline.lake.calibrations import newest_calibration, read_calibration
from laketag.pipeline.lake.kept_scores import read_scores
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.retries import RetryRules
from laketag.pipeline.lake.runs import scan_newest
from laketag.pipeline.store.outages import through_outages

VERSION = ["image_id", "etag"]


def find_kept_scores(
    lake: Lake, runs: pl.DataFrame, images: pl.DataFrame, class_names: tuple[str, ...], rules: RetryRules
) -> ScoredImages:
    """The images (image_id, etag) whose scores these runs, all of one classifier, have kept, and those that failed for good.

    The rules say which failures those are. The images have no probabilities yet. Nothing is known of any image where no run has
    kept scores.
    """
    found = ScoredImages()
    keeping = runs.filter(pl.col("keep").str.split(" ").list.contains("scores"))
    if keeping.is_empty():
        return found
    wanted = images.select(VERSION)
    for kept in read_scores(lake, keeping, wanted):
        if kept.class_names != class_names:
            raise InputError(
                f"{lake.path('scores')}: has scores of other classes than the description set; find out what changed it: "
                "laketag verify"
            )
        found.scores |= dict(zip(kept.rows["image_id"], kept.scores.astype(np.float32), strict=True))
    is_final = pl.col("failure").is_not_null() & rules.is_final()

    def find_failures() -> pl.DataFrame:
        failed = scan_newest(lake, runs).filter(is_final).select(*VERSION, pl.col("failure").cast(pl.String))
        return failed.join(wanted.lazy(), on=VERSION, how="semi").collect()

    failed = through_outages(lake.root, lake.storage, find_failures)
    found.failures |= dict(failed.select("image_id", "failure").iter_rows())
    return found


def known_rule(lake: Lake, collection: str, classifier: ChosenClassifier) -> ShareRule:
    """How scores of the classifier become probabilities: as its newest calibration says, or as its model does."""
    content_hash = newest_calibration(lake, collection, classifier.fingerprint)
    if content_hash is not None:
        return read_calibration(lake, collection, classifier.fingerprint, content_hash).rule
    return find_share_rule(classifier)
