import pytest
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.preprocessing import Preprocessing, read_preprocessing
from tests.models.tiny import HALF

SIZES = st.integers(1, 5000)


@given(width=SIZES, height=SIZES)
def test_squash_sees_exactly_the_whole_image(width: int, height: int) -> None:
    squash = Preprocessing(224, "squash", "bicubic", HALF, HALF)
    assert squash.visible_xyxy_px(width, height) == (0, 0, width, height)


@given(width=SIZES, height=SIZES, size=st.sampled_from([7, 64, 224]))
def test_shortest_sees_the_whole_short_side_and_a_middle_part_of_the_long_one(
    width: int, height: int, size: int
) -> None:
    x0, y0, x1, y1 = Preprocessing(size, "shortest", "bicubic", HALF, HALF).visible_xyxy_px(width, height)
    short = min(width, height)
    assert (x0, x1) == (0, width) if width <= height else (y0, y1) == (0, height)
    slack = short / size + 1e-6  # rounding to whole pixels of the resized picture
    assert abs((x0 + x1) / 2 - width / 2) <= slack
    assert abs((y0 + y1) / 2 - height / 2) <= slack
    assert abs((x1 - x0) - (y1 - y0)) <= 2 * slack
    assert -1e-9 <= x0 < x1 <= width + 1e-9
    assert -1e-9 <= y0 < y1 <= height + 1e-9


def test_what_cannot_be_prepared_is_named_all_at_once() -> None:
    config = {
        "size": (224, 112),
        "resize_mode": "longest",
        "interpolation": "random",
        "mean": HALF,
        "std": HALF,
    }
    with pytest.raises(
        ModelError, match=r"M wants images that are not square .* and resize_mode 'longest' and interpolation"
    ):
        read_preprocessing(config, "M")
