"""Embeddings come back as they were kept: in fp32 bit for bit, in fp16 and int8 within half a step of these numbers."""

import numpy as np
import pytest

from laketag.pipeline.classifier.kept_views import LARGEST_INT8, pack, unpack
from laketag.pipeline.config import EmbeddingFormat

EMBEDDINGS = np.random.default_rng(0).normal(size=(7, 48)).astype(np.float32)
EMBEDDINGS /= np.linalg.norm(EMBEDDINGS, axis=1, keepdims=True)
BYTES: dict[EmbeddingFormat, int] = {"fp32": 4, "fp16": 2, "int8": 1}


@pytest.mark.parametrize("stored_as", BYTES)
def test_numbers_come_back_within_half_a_step_of_their_format(stored_as: EmbeddingFormat) -> None:
    packed = pack(EMBEDDINGS, stored_as)
    found = unpack(packed, stored_as, len(EMBEDDINGS))
    assert len(packed.numbers) == EMBEDDINGS.size * BYTES[stored_as]
    largest = np.abs(EMBEDDINGS).max(axis=1, keepdims=True)
    steps = {
        "fp32": np.zeros_like(largest),
        "fp16": np.abs(EMBEDDINGS) * 2.0**-10 + 2.0**-24,
        "int8": largest / LARGEST_INT8 * (1 + 1e-5),
    }
    assert (np.abs(found - EMBEDDINGS) <= steps[stored_as] / 2).all()
    assert (found.dtype, found.shape) == (np.float32, EMBEDDINGS.shape)


def test_numbers_of_another_count_of_views_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        unpack(pack(EMBEDDINGS, "fp16"), "fp16", 5)
