"""What embeddings say against a text: it is nearly another one, nearer to another class, or one too many."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.lint import DropReason


def choose_kept(
    class_index: Int[np.ndarray, "texts"],
    embeddings: Float32[np.ndarray, "texts dim"],
    label_prompts: Float32[np.ndarray, "classes dim"],
    settings: DescriptionSettings,
) -> list[DropReason | None]:
    """The reason of each text that is dropped, None for what is kept; first come, first kept.

    All vectors have unit length. A text counts against later ones only if it is kept itself.
    """
    closer = _closer_to_another(class_index, embeddings, label_prompts, settings)
    kept: dict[int, list[int]] = {}
    reasons: list[DropReason | None] = []
    for text, own in enumerate(class_index.tolist()):
        before = kept.setdefault(own, [])
        reason: DropReason | None = None
        if closer[text]:
            reason = "closer_to_another_class"
        elif settings.drop_near_duplicates and _is_near(embeddings, text, before, settings):
            reason = "near_duplicate"
        elif len(before) >= settings.limit_per_class:
            reason = "over_limit"
        else:
            before.append(text)
        reasons.append(reason)
    return reasons


def _is_near(
    embeddings: Float32[np.ndarray, "texts dim"],
    text: int,
    kept: Sequence[int],
    settings: DescriptionSettings,
) -> bool:
    """Whether a text's cosine to one that is kept already is at or over the limit."""
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
    """Whether the cosine to another class's label prompt is over that to the own by more than the margin."""
    if not settings.drop_closer_to_another_class:
        return [False] * len(class_index)
    closer = []
    for own, embedding in zip(class_index.tolist(), embeddings, strict=True):
        cosines = label_prompts @ embedding
        others = np.delete(cosines, own)
        closer.append(bool(others.size and others.max() > cosines[own] + settings.closer_margin))
    return closer
