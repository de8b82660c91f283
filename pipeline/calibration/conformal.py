"""Sets of labels that contain the true one with a promised chance: split conformal prediction."""

import math

import numpy as np
from jaxtyping import Float, Int


def fewest_images(coverage: float) -> int:
    """How many images with a true class the promise of the coverage needs."""
    return math.ceil(round(coverage / (1 - coverage), 9))


def least_share(
    probabilities: Float[np.ndarray, "images classes"], true_class: Int[np.ndarray, "images"], coverage: float
) -> float | None:
    """The probability from which on a class belongs to an image's set; None if there are too few images.

    Over n images, the set of a further one like them contains its true class with a chance of at least the coverage if the
    rank is ``ceil((n + 1) · coverage)`` among the probabilities of the true classes, the largest first (Vovk et al., 2005;
    the score is that of Sadinle et al., JASA 2019). The chance counts over the choice of the n images, too.
    """
    own = np.sort(probabilities[np.arange(len(true_class)), true_class])[::-1]
    rank = math.ceil(round((len(own) + 1) * coverage, 9))
    return float(own[rank - 1]) if rank <= len(own) else None
