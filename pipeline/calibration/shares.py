"""Probabilities from scores, as label rows state them, and the factor on their exponent that fits them to what is true."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

FACTORS = (1e-3, 1e3)
"""The factor is between these."""
STEPS = 60
"""Halvings of the interval of the factor's logarithm: more than float64 resolves."""


@dataclass(frozen=True)
class ShareRule:
    """How scores become probabilities: laketag.pipeline.classifier.probabilities, in numpy.

    ``score``: softmax(exponent · log score) over the positive scores; ``cosine``: softmax(exponent · score).
    """

    kind: Literal["score", "cosine"]
    exponent: float
    views: int
    """Of an image; where none of its scores is positive, ``score`` is the softmax of score / views."""

    def share(self, scores: Float[np.ndarray, "images classes"]) -> Float[np.ndarray, "images classes"]:
        """Each image's probabilities, which sum to 1, in float64."""
        exact = scores.astype(np.float64)
        if self.kind == "cosine":
            return softmax(self.exponent * exact)
        positive = exact > 0
        logs = np.log(exact, out=np.full_like(exact, -np.inf), where=positive)
        return softmax(
            np.where(positive.any(axis=1, keepdims=True), self.exponent * logs, exact / self.views)
        )


def softmax(exponents: Float[np.ndarray, "images classes"]) -> Float[np.ndarray, "images classes"]:
    """Over the classes of each image."""
    powers = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    shares: Float[np.ndarray, "images classes"] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def sharpen(
    probabilities: Float[np.ndarray, "images classes"], factor: float
) -> Float[np.ndarray, "images classes"]:
    """The probabilities with the factor on their exponent: ``p ** factor`` over its sum; 0 stays 0."""
    exact = probabilities.astype(np.float64)
    logs = np.log(exact, out=np.full_like(exact, -np.inf), where=exact > 0)
    return softmax(factor * logs)


def fit_factor(
    probabilities: Float[np.ndarray, "images classes"], true_class: Int[np.ndarray, "images"]
) -> float:
    """The factor of the least negative log-likelihood (NLL) of the true classes (temperature scaling, Guo et al., ICML 2017).

    Images whose true class has the probability 0 keep it with any factor, and decide nothing. The NLL is convex in the
    factor, so its slope is followed to its one zero; a factor at an end of FACTORS means that there is none within.
    """
    own = probabilities[np.arange(len(true_class)), true_class]
    kept, own = probabilities[own > 0].astype(np.float64), own[own > 0].astype(np.float64)
    logs = np.log(kept, out=np.zeros_like(kept), where=kept > 0)

    def slope(factor: float) -> float:
        return float((sharpen(kept, factor) * logs).sum() - np.log(own).sum())

    low, high = np.log(FACTORS)
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(float(np.exp(middle))) < 0 else (low, middle)
    return float(np.exp((low + high) / 2))


def negative_log_likelihood(
    probabilities: Float[np.ndarray, "images classes"], true_class: Int[np.ndarray, "images"]
) -> float:
    """The mean over the images whose true class has a probability over 0; NaN without such an image."""
    own = probabilities[np.arange(len(true_class)), true_class]
    own = own[own > 0]
    return float(-np.log(own).mean()) if len(own) else float("nan")
