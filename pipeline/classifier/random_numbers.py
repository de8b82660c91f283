"""Every draw comes from a generator keyed by the image, the seed and what is drawn: never by batch, actor or order.

Only Philox's raw 64-bit words are used, which numpy promises to keep; its distributions may change between versions.
"""

import hashlib

import numpy as np
from jaxtyping import Float, Int


def draw_uniforms(image_id: str, seed: int, kind: str, count: int) -> Float[np.ndarray, "count"]:
    """``count`` numbers in [0, 1) that depend on these arguments alone (a longer row begins with the shorter)."""
    key = hashlib.blake2b(f"{seed}\n{kind}\n{image_id}".encode(), digest_size=16).digest()
    words = np.random.Philox(key=int.from_bytes(key, "little")).random_raw(count)
    return np.asarray((words >> np.uint64(11)) * 2.0**-53)


def pick_patches(
    uniforms: Float[np.ndarray, "draws"],
    patches: Int[np.ndarray, "attended"],
    probabilities: Float[np.ndarray, "attended"],
) -> Int[np.ndarray, "draws"]:
    """A patch for each number, with replacement, by these probabilities.

    The patches are lined up by position, not by rank: two of nearly equal attention may swap ranks when rounding
    differs between batches, and the pick must not.
    """
    by_position = np.argsort(patches)
    edges = np.cumsum(probabilities[by_position])
    slots = np.searchsorted(edges, uniforms * edges[-1], side="right")
    picked: np.ndarray = patches[by_position][np.minimum(slots, len(patches) - 1)]
    return picked


def pick_integers(uniforms: Float[np.ndarray, "draws"], low: int, high: int) -> Int[np.ndarray, "draws"]:
    """A uniform integer from ``low`` to ``high``, both included, for each number."""
    return np.asarray(low + np.floor(uniforms * (high - low + 1)).astype(np.int64))
