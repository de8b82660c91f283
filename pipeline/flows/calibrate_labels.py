"""A calibration: sample → read → fetch → decode → score → fit → store. It makes no image pending."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from laketag.pipeline.calibration.calibration import Calibration
from laketag.pipeline.calibration.fit import (
    Reliability,
    Sample,
    Wanted,
    conformal_notice,
    fit_calibration,
)
from laketag.pipeline.calibration.thresholds import Promise
from laketag.pipeline.cluster.ray_address import named_address
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.flows.frozen_sample import FrozenSample, SampleRequest, freeze_sample
from laketag.pipeline.flows.kept_sample import find_kept_scores, known_rule
from laketag.pipeline.flows.plan_run import LabelRequest, look_up_classifier, retry_rules
from laketag.pipeline.flows.score_images import ScoredImages, Scoring, score_images
from laketag.pipeline.flows.true_classes import read_known_classes
from laketag.pipeline.lake.calibrations import write_calibration
from laketag.pipeline.lake.decisions import Decided
from laketag.pipeline.lake.description_versions import latest_embedded_set, read_class_names
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_runs, select_runs_of
from laketag.pipeline.screen import Screen
from laketag.pipeline.version import laketag_version

Standardise = Literal["image", "class"]
DEFAULT_PRECISION = 0.9


@dataclass(frozen=True, kw_only=True)
class CalibrateRequest:
    """What to calibrate, and what it shall promise."""

    collection: str
    description_set: str
    sample: SampleRequest
    promise: Promise | None = None
    """Of the thresholds; by default DEFAULT_PRECISION where true classes are known and no score is named."""
    least_score: float | None = None
    """The standard score above which every class is accepted, whatever its precision."""
    coverage: float = 0.9
    standardise: Standardise | None = None
    """Over the classes of an image first, or each class by itself; by default the first where scores are cosines."""


@dataclass(frozen=True, kw_only=True)
class CalibrateReport:
    """A stored calibration, and what it was fitted to."""

    calibration: Calibration
    is_new: bool
    images: int
    kept: int
    """Of these, images whose scores an earlier run has kept, so that they were not read."""
    failures: dict[str, int]
    with_class: int
    outside: int
    reliability: Reliability | None
    labelled_before: int
    """Runs of this classifier that were decided by another calibration, or by none."""
    notices: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        found = {
            name: value for name, value in vars(self).items() if name not in ("calibration", "reliability")
        }
        return {
            "calibration": self.calibration.content_hash,
            **found,
            **{name: value for name, value in asdict(self.calibration).items() if name != "classes"},
            "reliability": self.reliability and asdict(self.reliability),
            "classes": [asdict(one) for one in self.calibration.classes],
        }


def calibrate_labels(
    lake: Lake, request: CalibrateRequest, settings: Settings, screen: Screen
) -> CalibrateReport:
    """The calibration of the collection and the settings' classifier is stored; later runs of label are decided by it."""
    named_address()  # refuses an impossible RAY_ADDRESS before anything is looked up or downloaded
    if settings.method.budget == "cascade":
        raise SettingsError(
            "method.budget = 'cascade' labels some images by cosines and others by sums, whose scores do not compare; "
            "calibrate and label with budget full or adaptive"
        )
    described = latest_embedded_set(lake, request.description_set)
    class_names = read_class_names(lake, described)
    # sample: images of the newest index, if possible those whose true class is known
    indexed = read_known_classes(lake, request.collection, request.description_set)
    decisions = Decided(lake, request.collection, request.description_set).read_current()
    sample = freeze_sample(indexed, decisions, class_names, request.sample)
    if request.promise is not None and not sample.knows_classes:
        raise InputError(
            f"--precision {request.promise.precision:g} needs images whose true class is known; index them with "
            "--class-from-folder or --class-column NAME, decide some with laketag review, or leave the option out"
        )
    for notice in sample.notices:
        screen.say(notice, "yellow")
    labelling = LabelRequest(collection=request.collection, description_set=request.description_set)
    finished = read_runs(lake)
    classifier = look_up_classifier(lake, labelling, settings, screen, finished)
    names = (request.collection, classifier.fingerprint)
    own = select_runs_of(finished, *names)
    known = find_kept_scores(lake, own, sample.images, class_names, retry_rules(labelling, settings))
    kept = len(known.scores)
    if kept:
        screen.say(f"{kept:,} of {sample.images.height:,} images have kept scores, and are not read")
    # read → fetch → decode → score: see score_chain
    scored = score_images(Scoring(lake, classifier, settings, screen), sample.images, known)
    scored.rule = scored.rule or known_rule(lake, request.collection, classifier)
    # fit, store
    fitted = gather(class_names, scored, sample)
    calibration, reliability = fit_calibration(fitted, choose_wanted(request, fitted), names)
    truth = fitted.true_class if fitted.true_class is not None else np.zeros(0, np.int64)
    about = {"snapshot": indexed.snapshot, "decisions": indexed.decisions_hash, "images": len(fitted.scores)}
    about |= {"reliability": reliability and asdict(reliability), "laketag_version": laketag_version()}
    inside = int((truth >= 0).sum())
    too_few = conformal_notice(inside, request.coverage) if sample.knows_classes else None
    return CalibrateReport(
        calibration=calibration,
        is_new=write_calibration(lake, calibration, about),
        images=len(fitted.scores),
        kept=kept,
        failures=dict(
            pl.Series(list(scored.failures.values()), dtype=pl.String).value_counts(sort=True).rows()
        ),
        with_class=inside,
        outside=int((truth < 0).sum()),
        reliability=reliability,
        labelled_before=own.filter(pl.col("calibration").ne_missing(calibration.content_hash)).height,
        notices=(too_few,) if too_few else (),
    )


def gather(class_names: tuple[str, ...], scored: ScoredImages, sample: FrozenSample) -> Sample:
    """The scored images of the sample, in its order."""
    ids = [image_id for image_id in sample.images["image_id"] if image_id in scored.scores]
    assert scored.rule is not None, "an image has scores"
    scores = np.stack([scored.scores[image_id] for image_id in ids])
    shares = scored.rule.share(scores)  # of images whose scores were kept
    probabilities = [
        scored.probabilities.get(image_id, of_kept) for image_id, of_kept in zip(ids, shares, strict=True)
    ]
    return Sample(class_names, scores, np.stack(probabilities), scored.rule, sample.true_class(ids))


def choose_wanted(request: CalibrateRequest, sample: Sample) -> Wanted:
    """What the request leaves open is decided by what is known."""
    promise = request.promise
    if promise is None and request.least_score is None and sample.true_class is not None:
        promise = Promise(DEFAULT_PRECISION)
    standardise = request.standardise or ("image" if sample.rule.kind == "cosine" else "class")
    least = Wanted.least_score if request.least_score is None else request.least_score
    return Wanted(promise, least, request.coverage, standardise == "image")
