"""Where to look: the patches of highest attention and their probabilities (ABS, arXiv 2505.13233)."""

import numpy as np
from jaxtyping import Float, Float32, Int


def attended_patches(
    attention: Float32[np.ndarray, "patches"], count: int, temperature: float
) -> tuple[Int[np.ndarray, "attended"], Float[np.ndarray, "attended"]]:
    """The ``count`` patches of highest attention, highest first, and the probability that a crop is centred there.

    Equal attention: the earlier patch first. A grid with fewer patches gives all of them.
    """
    patches = np.argsort(-attention, kind="stable")[:count]
    highest = attention[patches].astype(np.float64) / temperature
    weights = np.exp(highest - highest.max())
    return patches, weights / weights.sum()
