from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from laketag.pipeline.classifier.pixels import LONGEST_RESIZED, PixelSource, cut_views, cut_views_on_device
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


@settings(max_examples=60, derandomize=True)
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    size=st.sampled_from([16, 33, 56]),
    mode=st.sampled_from(MODES),
)
def test_the_device_path_gives_pillows_levels(
    width: int, height: int, size: int, mode: tuple[str, str]
) -> None:
    images = [random_image(width, height, seed) for seed in (0, 1)]
    boxes = np.array(
        [
            (0, 0, width, height),
            (width // 3, height // 4, width, height),
            (0, 0, width // 2 + 1, height // 2 + 1),
        ]
    )
    owner = [0, 0, 1]
    on_device = cut_views_on_device(
        [torch.from_numpy(image) for image in images], owner, boxes, preprocessing(size, *mode)
    )
    assert torch.equal(on_device, cut_views(images, owner, boxes, preprocessing(size, *mode)))


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
