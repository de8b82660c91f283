import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.classifier.attention import AttendedPatches
from laketag.pipeline.classifier.raw_crops import SeenImage, draw_raw_crops, raw_crop_boxes
from laketag.pipeline.config import MethodSettings
from tests.classifier.naive_abs import raw_box

SIZES = st.integers(1, 3000)


def boxes_of(patch: int, side_w: int, side_h: int, grid: int, width: int, height: int) -> list[int]:
    whole = SeenImage(width, height, (0.0, 0.0, float(width), float(height)))
    found = raw_crop_boxes(np.array([patch]), np.array([[side_w, side_h]]), grid, whole)
    return [int(edge) for edge in found[0]]


@given(width=SIZES, height=SIZES, patch=st.integers(0, 195), w=st.floats(0, 1), h=st.floats(0, 1))
def test_boxes_follow_the_papers_whole_number_arithmetic(
    width: int, height: int, patch: int, w: float, h: float
) -> None:
    row, column = divmod(patch, 14)
    side_w, side_h = int(w * width), int(h * height)
    expected = []
    for cell, side, limit in ((column, side_w, width), (row, side_h, height)):
        start = 16 * cell * limit // 224
        end = min(start + 16 * limit // 224, limit)
        centre = (start + end) // 2
        low = max(centre - side // 2, 0)
        expected.append((low, max(min(centre + side // 2, limit), low + 1)))
    (x0, x1), (y0, y1) = expected
    assert boxes_of(patch, side_w, side_h, 14, width, height) == [x0, y0, x1, y1]


@given(width=SIZES, height=SIZES, grid=st.integers(1, 20), seed=st.integers(0, 9))
def test_every_box_lies_in_the_image_and_holds_a_pixel(width: int, height: int, grid: int, seed: int) -> None:
    patches = np.arange(grid * grid)
    attended = AttendedPatches(patches, np.full(len(patches), 1 / len(patches)), grid)
    method = MethodSettings(crops=20, seed=seed, min_side_fraction=0.01, max_side_fraction=1.0)
    image = SeenImage(width, height, (width / 7, height / 5, width / 2, float(height)))
    boxes = draw_raw_crops("x", attended, image, method)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (boxes[:, 2:] <= [width, height]).all()


def test_a_side_under_two_pixels_keeps_the_centres_pixel() -> None:
    assert boxes_of(0, 0, 0, 14, 1, 1) == [0, 0, 1, 1]
    assert boxes_of(195, 1, 1, 14, 14, 14) == [13, 13, 14, 14]


def test_patches_lie_in_the_part_of_the_image_that_the_model_saw() -> None:
    frame = (25.0, 0.0, 75.0, 50.0)
    boxes = raw_crop_boxes(np.arange(49), np.full((49, 2), 10), 7, SeenImage(100, 50, frame))
    expected = [raw_box(patch, 10, 10, 7, frame, 100, 50) for patch in range(49)]
    assert boxes.tolist() == [list(box) for box in expected]
    assert boxes[:, 0].min() >= 25 - 5
