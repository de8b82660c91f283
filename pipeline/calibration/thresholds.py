"""Thresholds of a class's standard score that promise a precision, with the exact interval of Clopper and Pearson."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

CANDIDATES = 8
"""How many thresholds are tried for a class. Each is tested at a share of the error, so that the best of them may be taken."""
STEPS = 50
"""Halvings of an interval of probabilities: as many as float64 resolves."""


@dataclass(frozen=True)
class Promise:
    """A precision, and how sure it shall be of each class."""

    precision: float
    confidence: float = 0.95

    @property
    def error(self) -> float:
        """The chance of error that one candidate may have."""
        return (1 - self.confidence) / CANDIDATES

    @property
    def fewest(self) -> int:
        """How many images over a threshold are enough if the class is right for all of them."""
        return math.ceil(math.log(self.error) / math.log(self.precision))


@dataclass(frozen=True)
class Threshold:
    """What is over it has the class with at least the promised precision."""

    value: float  # accepted is what is over it
    images: int  # of the sample that are over it
    precision: float  # the class is right for this fraction of them
    low: float  # lower and upper bound, each at the error of a candidate
    high: float


def choose_threshold(
    scores: Float[np.ndarray, "images"], is_right: Bool[np.ndarray, "images"], promise: Promise
) -> Threshold | None:
    """The lowest of the candidates whose precision is at least that promised, with its confidence; None if there is none.

    Candidates are the scores of fixed ranks, between ``promise.fewest`` and the number of images. Given the score at a rank, the
    images above it are independent draws from all images above that score, so the exact binomial test holds; the error is
    divided among the candidates (Bonferroni).
    """
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(is_right[order])
    for rank in reversed(candidate_ranks(len(scores), promise)):
        above = int((ranked > ranked[rank]).sum())  # fewer than the rank where scores are equal
        found = int(right[above - 1]) if above else 0
        if above and binomial_tail(found, above, promise.precision) <= promise.error:
            low, high = clopper_pearson(found, above, promise.error)
            return Threshold(float(ranked[rank]), above, found / above, low, high)
    return None


def candidate_ranks(images: int, promise: Promise) -> list[int]:
    """Ranks from 0, rising by equal ratios; none if there are too few images."""
    last, fewest = images - 1, promise.fewest
    if last < fewest:
        return []
    ratios = np.linspace(0, 1, CANDIDATES)
    return sorted({round(fewest * (last / fewest) ** float(ratio)) for ratio in ratios})


def clopper_pearson(successes: int, trials: int, error: float) -> tuple[float, float]:
    """The bounds of a probability, each wrong with a chance of at most ``error`` (Clopper & Pearson, Biometrika 1934)."""
    low = _solve(lambda p: binomial_tail(successes, trials, p) <= error) if successes else 0.0
    high = (
        _solve(lambda p: 1 - binomial_tail(successes + 1, trials, p) > error) if successes < trials else 1.0
    )
    return low, high


def binomial_tail(successes: int, trials: int, probability: float) -> float:
    """The chance of at least this number of successes."""
    if successes <= 0:
        return 1.0
    counts = np.arange(successes, trials + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])  # of factorials
    ways = logs[trials] - logs[counts] - logs[trials - counts]
    chances = ways + counts * math.log(probability) + (trials - counts) * math.log1p(-probability)
    return min(1.0, float(np.exp(chances).sum()))


def _solve(holds: Callable[[float], bool]) -> float:
    """Where the test, which holds for small probabilities and not for large ones, ceases to hold."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2
