"""Classes that the model cannot tell apart, because their texts have nearly the same embeddings."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int

ROWS_AT_ONCE = 1024
"""Classes compared with all others at once: 80 MB of cosines for 20,000 classes."""


def find_alike_classes(
    label_prompts: Float32[np.ndarray, "classes dim"],
    embeddings: Float32[np.ndarray, "texts dim"],
    class_index: Int[np.ndarray, "texts"],
    cosine: float,
) -> list[tuple[int, ...]]:
    """Groups of classes, each with two or more, joined by a cosine at or over the limit.

    Two classes are joined if their label prompts are that near, or if each description of one has one of the other that
    is that near. All vectors have unit length.
    """
    of_class = [embeddings[class_index == index] for index in range(len(label_prompts))]
    means = np.array([vectors.mean(axis=0) for vectors in of_class])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    group = list(range(len(label_prompts)))
    for one, other in _near_pairs(label_prompts, cosine):
        _join(group, one, other)
    for one, other in _near_pairs(means, cosine):
        if group[one] != group[other] and _all_near(of_class[one], of_class[other], cosine):
            _join(group, one, other)
    members: dict[int, list[int]] = {}
    for index, first in enumerate(group):
        members.setdefault(first, []).append(index)
    return [tuple(indices) for indices in members.values() if len(indices) > 1]


def _near_pairs(vectors: Float32[np.ndarray, "classes dim"], cosine: float) -> Iterator[tuple[int, int]]:
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        cosines = vectors[start : start + ROWS_AT_ONCE] @ vectors.T
        for row, other in np.argwhere(cosines >= cosine).tolist():
            if start + row < other:
                yield start + row, other


def _all_near(one: Float32[np.ndarray, "_ dim"], other: Float32[np.ndarray, "_ dim"], cosine: float) -> bool:
    cosines = one @ other.T
    return bool(min(cosines.max(axis=0).min(), cosines.max(axis=1).min()) >= cosine)


def _join(group: list[int], one: int, other: int) -> None:
    """Both classes and all that were joined with them have the same first class."""
    first, second = sorted((group[one], group[other]))
    if first != second:
        group[:] = [first if index == second else index for index in group]
