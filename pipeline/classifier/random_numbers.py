"""Random numbers keyed by the image, the seed and their purpose, so that batch, actor and order never change a label.

Only Philox's raw 64-bit words are used: numpy guarantees them, while its distributions may change between versions.
"""

import hashlib

import numpy as np
from jaxtyping import Float, Int


def draw_uniforms(image_id: str, seed: int, kind: str, count: int) -> Float[np.ndarray, "count"]:
    """``count`` numbers in [0, 1) that depend on the other arguments alone; asking for more does not change the first ones."""
    key = hashlib.blake2b(f"{seed}\n{kind}\n{image_id}".encode(), digest_size=16).digest()
    words = np.random.Philox(key=int.from_bytes(key, "little")).random_raw(count)
    return np.asarray((words >> np.uint64(11)) * 2.0**-53)


def pick_patches(
    uniforms: Float[np.ndarray, "draws"],
    patches: Int[np.ndarray, "attended"],
    probabilities: Float[np.ndarray, "attended"],
) -> Int[np.ndarray, "draws"]:
    """One patch for each number, drawn with replacement by the probabilities.

    The patches are ordered by position, not by rank: two patches of nearly equal attention may swap ranks when
    rounding differs between batches, and that must not change the draws.
    """
    by_position = np.argsort(patches)
    edges = np.cumsum(probabilities[by_position])
    slots = np.searchsorted(edges, uniforms * edges[-1], side="right")
    picked: np.ndarray = patches[by_position][np.minimum(slots, len(patches) - 1)]
    return picked


def pick_integers(uniforms: Float[np.ndarray, "draws"], low: int, high: int) -> Int[np.ndarray, "draws"]:
    """For each number a uniform integer from ``low`` to ``high``, both included."""
    return np.asarray(low + np.floor(uniforms * (high - low + 1)).astype(np.int64))
