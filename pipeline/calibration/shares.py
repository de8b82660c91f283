"""Probabilities from scores, as label rows state them, and the factor on their exponent that fits them to what is true."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

FACTORS = (1e-2, 1e2)
"""The factor is between these."""
TRIED, ROUNDS = 21, 5
"""Factors that are tried in a round; each round is between the neighbours of the best of the last one."""
SUREST = 1e-9
"""No label is taken for surer than 1 minus this, so that one mistake costs no infinite loss."""


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
    """The factor with which the label's probability says best how often the label is right: that of the least label_loss.

    Temperature scaling (Guo et al., ICML 2017) takes the loss of the true class instead. Scores of soft matching leave the true
    class of a wrong label next to nothing, which decides that loss: docs/decisions/0039 has the measurements.
    """
    low, high = np.log(FACTORS)
    for _ in range(ROUNDS):
        tried = np.linspace(low, high, TRIED)
        losses = [label_loss(sharpen(probabilities, float(np.exp(log))), true_class) for log in tried]
        best = int(np.argmin(losses))
        low, high = tried[max(0, best - 1)], tried[min(TRIED - 1, best + 1)]
    return float(np.exp(tried[best]))


def label_loss(
    probabilities: Float[np.ndarray, "images classes"], true_class: Int[np.ndarray, "images"]
) -> float:
    """The mean negative log-likelihood of the labels' being right or wrong, by their probabilities."""
    label = probabilities.argmax(axis=1)
    stated = np.minimum(probabilities[np.arange(len(label)), label], 1 - SUREST)
    return float(-np.log(np.where(label == true_class, stated, 1 - stated)).mean())
