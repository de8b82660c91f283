"""WCA's crops: squares of random size at random places."""

import numpy as np
from jaxtyping import Int

from laketag.pipeline.classifier.random_numbers import draw_uniforms

MAX_SIDE_FRACTION = 0.9
"""Of the image's shorter side; the least fraction is a setting (tmlr-group/WCA, arXiv 2406.02915: 0.5, of Places365 0.7)."""


def draw_square_crops(
    keyed_by: tuple[str, int], width_height_px: tuple[int, int], crops: int, min_side_fraction: float
) -> Int[np.ndarray, "crops 4"]:
    """Boxes (x0, y0, x1, y1 exclusive) of an image's squares, in pixels; ``keyed_by`` is its id and the seed.

    A side is the whole number below ``uniform(least, 0.9) · shorter side``, and at least 1; every place is equally likely.
    """
    uniforms = draw_uniforms(*keyed_by, "square crops", 3 * crops).reshape(crops, 3)
    fractions = min_side_fraction + (MAX_SIDE_FRACTION - min_side_fraction) * uniforms[:, 0]
    sides = np.maximum((fractions * min(width_height_px)).astype(np.int64), 1)
    starts = [
        pick_integers_below(uniforms[:, 1 + axis], length - sides)
        for axis, length in enumerate(width_height_px)
    ]
    return np.stack([*starts, *(start + sides for start in starts)], axis=1)


def pick_integers_below(uniforms: np.ndarray, highest: Int[np.ndarray, "draws"]) -> Int[np.ndarray, "draws"]:
    """For each number a uniform integer from 0 to its own highest, included."""
    return np.asarray(np.floor(uniforms * (highest + 1)).astype(np.int64))
