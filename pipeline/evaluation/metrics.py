"""Metrics of labels and their probabilities: arrays in, fractions out."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Z_95 = 1.959963984540054
"""The quantile of the normal distribution at 97.5 %."""
BINS = 15


@dataclass(frozen=True)
class Bin:
    """Labels whose probability is in one interval."""

    images: int
    probability: float  # their mean
    accuracy: float


def wilson_interval(fraction: float, images: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a fraction of this number of images (E. B. Wilson, JASA 1927)."""
    if not images:
        return 0.0, 1.0
    square = Z_95**2 / images
    centre = (fraction + square / 2) / (1 + square)
    half = Z_95 * math.sqrt(fraction * (1 - fraction) / images + square / (4 * images)) / (1 + square)
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value that two methods are equally often right alone (Q. McNemar, Psychometrika 1947).

    Of the images on which exactly one of them is right, either is equally likely to be that one.
    """
    images, fewer = only_first + only_second, min(only_first, only_second)
    if not images:
        return 1.0
    logs = np.array(
        [math.lgamma(images + 1) - math.lgamma(k + 1) - math.lgamma(images - k + 1) for k in range(fewer + 1)]
    )
    return min(1.0, 2 * float(np.exp(logs - images * math.log(2)).sum()))


def macro_recall(is_right: Float[np.ndarray, "images"], true_class: Int[np.ndarray, "images"]) -> float:
    """The mean, over the classes that have images, of the fraction of their images that are right."""
    images = np.bincount(true_class)
    right = np.bincount(true_class, weights=is_right)
    return float((right[images > 0] / images[images > 0]).mean())


def risk_coverage(
    is_right: Bool[np.ndarray, "images"], probability: Float[np.ndarray, "images"]
) -> tuple[Float[np.ndarray, "points"], Float[np.ndarray, "points"]]:
    """Coverage and risk: the fraction of images that are surest, and the fraction of these that are wrong.

    Images with equal probabilities abstain together, so there is a point for each probability that occurs.
    """
    order = np.argsort(-probability, kind="stable")
    wrong = np.cumsum(~is_right[order])
    last_of_equals = np.append(np.diff(probability[order]) != 0, True)
    kept = np.arange(1, len(order) + 1)[last_of_equals]
    return kept / len(order), wrong[last_of_equals] / kept


def aurc(is_right: Bool[np.ndarray, "images"], probability: Float[np.ndarray, "images"]) -> float:
    """The area under the risk–coverage curve: the mean risk over all coverages 1/n … 1 (Geifman & El-Yaniv, 2017).

    Equal probabilities share the risk at which they are all kept.
    """
    coverage, risk = risk_coverage(is_right, probability)
    return float((np.diff(coverage, prepend=0) * risk).sum())


def reliability(
    is_right: Bool[np.ndarray, "images"], probability: Float[np.ndarray, "images"], bins: int = BINS
) -> list[Bin]:
    """The bins of equal width that have images; the first contains 0, and each its upper end."""
    index = np.clip(np.ceil(probability * bins).astype(np.int64) - 1, 0, bins - 1)
    found = []
    for number in range(bins):
        inside = index == number
        if inside.any():
            found.append(
                Bin(int(inside.sum()), float(probability[inside].mean()), float(is_right[inside].mean()))
            )
    return found


def calibration_error(
    is_right: Bool[np.ndarray, "images"], probability: Float[np.ndarray, "images"], bins: int = BINS
) -> float:
    """The expected calibration error: the images' mean distance of accuracy and probability in bins (Guo et al., ICML 2017)."""
    found = reliability(is_right, probability, bins)
    return sum(one.images * abs(one.accuracy - one.probability) for one in found) / len(probability)
