"""The resize of many crops at once against Pillow's own."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from laketag.pipeline.classifier.pixels import cut_views
from laketag.pipeline.classifier.resampling import resize_views
from laketag.pipeline.models.preprocessing import Preprocessing
from tests.classifier.scenes import random_image

MODES = [("shortest", "bicubic"), ("squash", "bicubic"), ("squash", "bilinear"), ("shortest", "bilinear")]


@settings(max_examples=60, derandomize=True)
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    size=st.sampled_from([16, 33, 56]),
    mode=st.sampled_from(MODES),
)
def test_levels_are_pillows_in_float64_and_within_one_of_them_in_float32(
    width: int, height: int, size: int, mode: tuple[str, str]
) -> None:
    preprocessing = Preprocessing(size, *mode, (0.5,) * 3, (0.5,) * 3)  # type: ignore[arg-type]
    images = [random_image(width, height, seed) for seed in (0, 1)]
    boxes = np.array(
        [
            (0, 0, width, height),
            (width // 3, height // 4, width, height),
            (0, 0, width // 2 + 1, height // 2 + 1),
        ]
    )
    owner = np.array([0, 0, 1])
    pillow = cut_views(images, owner.tolist(), boxes, preprocessing).int()
    stack = torch.from_numpy(np.stack(images))
    exact, fast = (
        resize_views(stack, owner, boxes, preprocessing, dtype).int()
        for dtype in (torch.float64, torch.float32)
    )
    assert torch.equal(exact, pillow)
    assert (fast - pillow).abs().max() <= 1
    assert (fast - pillow).abs().float().mean() < 0.1
