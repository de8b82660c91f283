"""A device that is out of memory costs time and no label."""

import numpy as np
import pytest
import torch

from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.micro_batch import GROW_AFTER, MicroBatch, is_out_of_memory
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.config import MethodSettings
from laketag.pipeline.errors import ClusterError
from tests.classifier.scenes import random_image, random_texts
from tests.models.tiny import Memory, tiny_backbone, tiny_clip, tiny_config

IMAGES = [random_image(40 + number, 60) for number in range(6)]
IDS = [f"image {number}" for number in range(6)]


def with_memory(most_views: int) -> tuple[Classifier, Memory]:
    """A classifier on a device that has memory for this many views at once."""
    clip = tiny_clip(tiny_config())
    memory = Memory(clip, most_views)
    encoders = Encoders(tiny_backbone(clip=clip), None)
    return Classifier(encoders, random_texts(), MethodSettings(crops=3), views_per_pass=64), memory


@pytest.mark.parametrize("most_views", [1, 2, 5, 17])
def test_labels_are_the_same_with_little_memory(most_views: int) -> None:
    plenty, _ = with_memory(1000)
    little, memory = with_memory(most_views)
    expected, found = plenty.label(IMAGES, IDS), little.label(IMAGES, IDS)
    assert [label.label for label in found] == [label.label for label in expected]
    assert [label.evidence_box_xyxy_px for label in found] == [
        label.evidence_box_xyxy_px for label in expected
    ]
    np.testing.assert_allclose(
        [label.score for label in found], [label.score for label in expected], rtol=1e-5, atol=1e-4
    )
    assert max(memory.passes) <= most_views


def test_passes_grow_again_when_there_is_memory_again() -> None:
    classifier, memory = with_memory(1)
    classifier.label(IMAGES[:1], IDS[:1])
    memory.most = 1000
    memory.passes.clear()
    for _ in range(GROW_AFTER * 4):
        classifier.label(IMAGES[:1], IDS[:1])
    assert (memory.passes[0], max(memory.passes)) == (1, 3)


def test_a_size_that_is_too_large_again_is_tried_less_often() -> None:
    batch, sizes = MicroBatch(4), []
    for _ in range(8 * GROW_AFTER):
        if batch.size > 2:
            batch.shrink()
            sizes.append(batch.size)
        batch.note_success()
    assert len(sizes) == 4  # at the beginning, and after 1, 1 + 2 and 1 + 2 + 4 times GROW_AFTER


def test_too_little_memory_for_one_view_is_an_error_that_says_what_to_do() -> None:
    classifier, _ = with_memory(0)
    with pytest.raises(ClusterError, match="end other processes that use it"):
        classifier.label(IMAGES, IDS)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_only_a_lack_of_memory_makes_batches_smaller(error: RuntimeError, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
