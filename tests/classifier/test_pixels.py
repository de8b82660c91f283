from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from laketag.pipeline.classifier.pixels import (
    LONGEST_RESIZED,
    PixelSource,
    cut_stacked_views,
    cut_views,
    stack_images,
)
from laketag.pipeline.models.preprocessing import Preprocessing
from tests.classifier.naive_abs import clip_transform
from tests.classifier.scenes import random_image

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
MODES = [("shortest", "bicubic"), ("squash", "bicubic"), ("squash", "bilinear"), ("shortest", "bilinear")]


def preprocessing(size: int, mode: str, interpolation: str) -> Preprocessing:
    return Preprocessing(size, mode, interpolation, MEAN, STD)  # type: ignore[arg-type]


@settings(max_examples=60, derandomize=True)
@given(
    width=st.integers(1, 150),
    height=st.integers(1, 150),
    size=st.sampled_from([16, 33, 56]),
    mode=st.sampled_from(MODES),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_views_are_what_clips_own_transform_makes_of_the_crop(
    width: int, height: int, size: int, mode: tuple[str, str], corners: tuple[float, ...]
) -> None:
    rgb = random_image(width, height)
    x0, x1 = sorted(int(corner * (width - 1)) for corner in corners[:2])
    y0, y1 = sorted(int(corner * (height - 1)) for corner in corners[2:])
    box = (x0, y0, x1 + 1, y1 + 1)
    settings_ = preprocessing(size, *mode)
    ours = PixelSource([rgb], torch.device("cpu")).views([0], np.array([box]), settings_)[0]
    assert torch.equal(ours, clip_transform(settings_)(Image.fromarray(rgb).crop(box)))


def test_stacked_images_of_any_sizes_give_the_same_views_within_a_level() -> None:
    sizes = [
        (60, 40),
        (9000, 3),
        (40, 90),
        (3, 9000),
        (50, 50),
    ]  # the long ones cannot be padded to each other
    images = [random_image(*size, seed) for seed, size in enumerate(sizes)]
    stacks = list(stack_images(images, torch.device("cpu")))
    assert [list(places) for places, _ in stacks] == [[0, 1, 2], [3, 4]]
    owner = [0, 0, 1, 2, 3, 4, 4]
    boxes = np.array([(x, 0, min(x + 30, sizes[image][0]), sizes[image][1]) for x, image in enumerate(owner)])
    boxes[4] = (0, 100, 3, 190)
    settings_ = preprocessing(16, "shortest", "bicubic")
    ours = cut_stacked_views(stacks, owner, boxes, settings_, torch.float32)
    assert (ours.int() - cut_views(images, owner, boxes, settings_).int()).abs().max() <= 1


@pytest.mark.parametrize("size", [(4000, 6), (6, 4000)])
def test_long_pictures_do_not_go_through_pillow_and_look_the_same(size: tuple[int, int]) -> None:
    rgb = random_image(*size)
    settings_ = preprocessing(32, "shortest", "bicubic")
    assert max(settings_.resized_width_height(*size)) > LONGEST_RESIZED * 32
    ours = PixelSource([rgb], torch.device("cpu")).whole(settings_)[0]
    assert torch.equal(ours, clip_transform(settings_)(Image.fromarray(rgb)))


def test_threads_cut_the_same_views_in_the_same_order() -> None:
    images = [random_image(60, 40, seed) for seed in range(3)]
    boxes = np.array([(x, 0, x + 20, 30) for x in range(30)])
    owner = [view // 10 for view in range(30)]
    settings_ = preprocessing(16, "shortest", "bicubic")
    with ThreadPoolExecutor(4) as workers:
        assert torch.equal(
            cut_views(images, owner, boxes, settings_, workers), cut_views(images, owner, boxes, settings_)
        )


def test_images_that_may_not_be_written_are_read() -> None:
    rgb = random_image(40, 30)
    frozen = np.frombuffer(rgb.tobytes(), np.uint8).reshape(rgb.shape)
    settings_ = preprocessing(16, "shortest", "bicubic")
    source = PixelSource([frozen], torch.device("cpu"))
    assert torch.equal(source.whole(settings_), PixelSource([rgb], torch.device("cpu")).whole(settings_))
