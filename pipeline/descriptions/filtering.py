"""Drop reasons that need embeddings: near duplicates, texts nearer to another class, texts over the limit."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int

from laketag.pipeline.config import DescriptionSettings
from laketag.schemas import DropReason


def choose_kept(
    class_index: Int[np.ndarray, "texts"],
    embeddings: Float32[np.ndarray, "texts dim"],
    label_prompts: Float32[np.ndarray, "classes dim"],
    settings: DescriptionSettings,
) -> list[DropReason | None]:
    """The drop reason of each text, None if it is kept.

    All vectors have unit length. Texts are compared with the kept texts before them, so the first of several
    near duplicates is kept, and a dropped text drops no other.
    """
    closer = _closer_to_another(class_index, embeddings, label_prompts, settings)
    kept: dict[int, list[int]] = {}
    reasons: list[DropReason | None] = []
    for text, own in enumerate(class_index.tolist()):
        before = kept.setdefault(own, [])
        reason: DropReason | None = None
        if closer[text]:
            reason = "closer_to_another_class"
        elif _is_near_duplicate(embeddings, text, before, settings):
            reason = "near_duplicate"
        elif len(before) >= settings.limit_per_class:
            reason = "over_limit"
        else:
            before.append(text)
        reasons.append(reason)
    return reasons


def _is_near_duplicate(
    embeddings: Float32[np.ndarray, "texts dim"],
    text: int,
    kept: Sequence[int],
    settings: DescriptionSettings,
) -> bool:
    """Whether the text's cosine to a kept text reaches the limit."""
    if not (settings.drop_near_duplicates and kept):
        return False
    cosines = embeddings[list(kept)] @ embeddings[text]
    return bool(cosines.max() >= settings.near_duplicate_cosine)


def _closer_to_another(
    class_index: Int[np.ndarray, "texts"],
    embeddings: Float32[np.ndarray, "texts dim"],
    label_prompts: Float32[np.ndarray, "classes dim"],
    settings: DescriptionSettings,
) -> Sequence[bool]:
    """For each text, whether its cosine to another class's label prompt exceeds that to its own by more than the margin."""
    if not settings.drop_closer_to_another_class:
        return [False] * len(class_index)
    closer = []
    for own, embedding in zip(class_index.tolist(), embeddings, strict=True):
        cosines = label_prompts @ embedding
        others = np.delete(cosines, own)
        closer.append(bool(others.size and others.max() > cosines[own] + settings.closer_margin))
    return closer
