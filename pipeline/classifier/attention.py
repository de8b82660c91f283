"""Where crops are centred: the patches of highest attention and their probabilities (ABS, arXiv 2505.13233)."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from laketag.pipeline.config import MethodSettings


@dataclass(frozen=True)
class AttendedPatches:
    """The patches of one image that crops are centred on, highest attention first."""

    patches: Int[np.ndarray, "attended"]  # positions in the attention model's grid, row by row
    probabilities: Float[np.ndarray, "attended"]  # that a crop is centred on the patch
    grid: int  # rows and columns of the attention model's grid


def attended_patches(
    attention: Float32[np.ndarray, "patches"], count: int, temperature: float
) -> AttendedPatches:
    """The ``count`` patches of highest attention in a square grid; all of them if the grid has fewer.

    Of patches with equal attention the earlier one comes first.
    """
    patches = np.argsort(-attention, kind="stable")[:count]
    highest = attention[patches].astype(np.float64) / temperature
    weights = np.exp(highest - highest.max())
    return AttendedPatches(patches, weights / weights.sum(), math.isqrt(len(attention)))


def needs_attention(method: MethodSettings) -> bool:
    """Whether the method crops around attended patches."""
    return method.name == "abs" and (method.raw_crops or method.feature_crops)
