"""Fitting a calibration to the scores of a sample of images, with or without their true classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from laketag.pipeline.calibration.calibration import CalibratedClass, Calibration
from laketag.pipeline.calibration.conformal import fewest_images, least_share
from laketag.pipeline.calibration.shares import ShareRule, fit_factor, label_loss, sharpen
from laketag.pipeline.calibration.standard_scores import (
    FEWEST_CLASSES,
    ClassStatistics,
    fit_statistics,
    standard_scores,
)
from laketag.pipeline.calibration.thresholds import Promise, choose_threshold
from laketag.pipeline.errors import InputError
from laketag.pipeline.evaluation.metrics import calibration_error

OUTSIDE = -1
"""The true class of an image that is of none of the classes."""
NEVER_CHANGES = "its score is the same on all images"


@dataclass(frozen=True)
class Sample:
    """The scores of the images that a calibration is fitted to."""

    class_names: tuple[str, ...]
    scores: Float[np.ndarray, "images classes"]
    probabilities: Float[np.ndarray, "images classes"]  # as label rows state them
    rule: ShareRule
    true_class: Int[np.ndarray, "images"] | None = None  # numbers of classes, or OUTSIDE; None: not known


@dataclass(frozen=True)
class Wanted:
    """What a calibration shall promise."""

    precision: Promise | None = None
    """Of what is accepted, class by class. Without it, what is over ``least_score`` is accepted."""
    least_score: float = 2.0
    """The standard score that 2 % of a normal distribution exceed."""
    coverage: float = 0.9
    """Of the conformal sets."""
    within_image: bool = True
    """See laketag.pipeline.calibration.standard_scores.ClassStatistics."""


@dataclass(frozen=True)
class Reliability:
    """How the probability of the label fits its being right, on the sample itself."""

    images: int
    accuracy: float
    ece_before: float
    ece_after: float
    loss_before: float  # see label_loss
    loss_after: float


def fit_calibration(
    sample: Sample, wanted: Wanted, names: tuple[str, str]
) -> tuple[Calibration, Reliability | None]:
    """The calibration of the collection and classifier (``names``); with true classes, also how reliable it is.

    An InputError if the sample is too small for anything to be fitted, or no class has enough examples for a threshold.
    """
    images, classes = sample.scores.shape
    if classes < FEWEST_CLASSES:
        raise InputError(
            f"the set has {classes} classes; standardised scores need at least {FEWEST_CLASSES}: add classes that the images "
            "may also show"
        )
    if images < 2:
        raise InputError(f"{images} images have scores; a calibration needs at least 2: index more images")
    statistics = fit_statistics(sample.scores, within_image=wanted.within_image)
    inside = np.zeros(0, np.int64) if sample.true_class is None else np.flatnonzero(sample.true_class >= 0)
    factor, reliability, least = None, None, None
    if len(inside) and sample.true_class is not None:
        probabilities, truth = sample.probabilities[inside], sample.true_class[inside]
        factor = fit_factor(probabilities, truth)
        reliability = measure_reliability(probabilities, truth, factor)
        least = least_share(probabilities, truth, wanted.coverage)
    calibration = Calibration(
        *names,
        tuple(fit_classes(sample, statistics, wanted)),
        sample.rule,
        factor,
        least,
        None if least is None else wanted.coverage,
        wanted.within_image,
    )
    if wanted.precision is not None and len(calibration.refused) == classes:
        raise InputError(describe_refusal(sample, wanted.precision))
    return calibration, reliability


def describe_refusal(sample: Sample, promise: Promise) -> str:
    """Why no class has a threshold, and what to do."""
    truth = np.zeros(0, np.int64) if sample.true_class is None else sample.true_class
    counts = np.bincount(truth[truth >= 0], minlength=len(sample.class_names))
    return (
        f"no class reaches a precision of {promise.precision:g} with confidence {promise.confidence:g}: that takes at least "
        f"{promise.fewest} images of a class, and {sample.class_names[int(counts.argmax())]!r}, which has the most, has "
        f"{counts.max()}; index more images with a true class, lower --precision, or name a standard score with --min-score"
    )


def fit_classes(sample: Sample, statistics: ClassStatistics, wanted: Wanted) -> list[CalibratedClass]:
    """Each class with its statistics, and its threshold or why it has none."""
    alone = standard_scores(sample.scores, statistics)
    found = []
    for number, name in enumerate(sample.class_names):
        own = CalibratedClass(name, float(statistics.mean[number]), float(statistics.spread[number]))
        found.append(_with_threshold(own, alone[:, number], _is_of(sample, number), wanted))
    return found


def _with_threshold(
    own: CalibratedClass,
    scores: Float[np.ndarray, "images"],
    is_right: np.ndarray | None,
    wanted: Wanted,
) -> CalibratedClass:
    promise = wanted.precision
    if own.spread == 0:
        return replace(own, refused=NEVER_CHANGES)
    if promise is None or is_right is None:
        over = scores > wanted.least_score
        precision = None if is_right is None or not over.any() else float(is_right[over].mean())
        return replace(own, threshold=wanted.least_score, images=int(over.sum()), precision=precision)
    chosen = choose_threshold(scores, is_right, promise)
    if chosen is not None:
        return replace(
            own,
            threshold=chosen.value,
            images=chosen.images,
            precision=chosen.precision,
            precision_low=chosen.low,
            precision_high=chosen.high,
        )
    examples = int(is_right.sum())
    reason = (
        f"{examples} of the at least {promise.fewest} examples that precision {promise.precision:g} needs"
        if examples < promise.fewest
        else f"no threshold reaches precision {promise.precision:g} on its {examples} examples"
    )
    return replace(own, refused=reason)


def _is_of(sample: Sample, number: int) -> np.ndarray | None:
    return None if sample.true_class is None else sample.true_class == number


def measure_reliability(
    probabilities: Float[np.ndarray, "images classes"], true_class: Int[np.ndarray, "images"], factor: float
) -> Reliability:
    """Before and after the factor; the label is the class with the highest probability."""
    after = sharpen(probabilities, factor)
    label = probabilities.argmax(axis=1)
    is_right = label == true_class
    rows: Sequence[int] = range(len(label))
    return Reliability(
        images=len(label),
        accuracy=float(is_right.mean()),
        ece_before=calibration_error(is_right, probabilities[rows, label]),
        ece_after=calibration_error(is_right, after[rows, label]),
        loss_before=label_loss(probabilities, true_class),
        loss_after=label_loss(after, true_class),
    )


def conformal_notice(images: int, coverage: float) -> str | None:
    """Why there are no conformal sets, if there are none."""
    fewest = fewest_images(coverage)
    return (
        None
        if images >= fewest
        else f"{images} images with a true class are too few for conformal sets: coverage {coverage:g} needs {fewest}"
    )
