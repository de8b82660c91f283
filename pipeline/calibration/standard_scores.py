"""Scores that judge each class alone: standardised over the classes of the image, then over a frozen sample of images.

The standardisation of SPARC (arXiv 2502.16911; kjmillerCURIS/SPARC, run_SPARC.py) without its compound prompts. SPARC takes
the means and spreads from the images that it judges; here they are frozen, so that a label depends on no other image. Its
first step can be left out: it removes what an image does to all classes alike, and with it whether any class fits.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

FEWEST_CLASSES = 3
"""Of two classes the image-standardised scores are always the same two numbers."""


@dataclass(frozen=True)
class ClassStatistics:
    """Mean and spread of each class's scores over the sample."""

    mean: Float[np.ndarray, "classes"]
    spread: Float[np.ndarray, "classes"]  # standard deviation (n − 1); 0 of a class whose score never changes
    within_image: bool = True  # whether scores are standardised over the classes of an image first


def fit_statistics(
    scores: Float[np.ndarray, "images classes"], *, within_image: bool = True
) -> ClassStatistics:
    """The statistics of the images, two at least, with FEWEST_CLASSES at least."""
    seen = standardise_images(scores) if within_image else scores.astype(np.float64)
    return ClassStatistics(seen.mean(axis=0), seen.std(axis=0, ddof=1), within_image)


def standard_scores(
    scores: Float[np.ndarray, "images classes"], statistics: ClassStatistics
) -> Float[np.ndarray, "images classes"]:
    """How many spreads a class's score is above its mean over the sample; 0 for a class without a spread."""
    seen = standardise_images(scores) if statistics.within_image else scores.astype(np.float64)
    centred = seen - statistics.mean
    return _divide(centred, statistics.spread)


def standardise_images(
    scores: Float[np.ndarray, "images classes"],
) -> Float[np.ndarray, "images classes"]:
    """Each image's scores with mean 0 and standard deviation (n − 1) 1 over the classes; 0 where all are equal."""
    exact = scores.astype(np.float64)
    centred = exact - exact.mean(axis=1, keepdims=True)
    return _divide(centred, exact.std(axis=1, ddof=1, keepdims=True))


def _divide(
    centred: Float[np.ndarray, "images classes"], spread: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "images classes"]:
    """0 where the spread is."""
    wide = np.broadcast_to(spread, centred.shape)
    quotient: Float[np.ndarray, "images classes"] = np.zeros_like(centred)
    np.divide(centred, wide, out=quotient, where=wide > 0)
    return quotient
