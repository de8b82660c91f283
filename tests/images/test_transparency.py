"""Every 8-bit mode of Pillow becomes opaque."""

import numpy as np
import pytest
from PIL import Image

from laketag.pipeline.images.transparency import over_white

HALF = {"RGBA": (100, 0, 200, 128), "RGBa": (50, 0, 100, 128), "LA": (100, 128), "La": (50, 128)}


@pytest.mark.parametrize("mode", HALF)
def test_half_transparent_is_half_white(mode: str) -> None:
    found = over_white(Image.new(mode, (4, 4), HALF[mode]))
    assert found.mode == ("RGB" if mode.startswith("RGB") else "L")
    expected = [177, 127, 227] if found.mode == "RGB" else 177
    assert np.abs(np.asarray(found)[0, 0].astype(int) - expected).max() <= 1


def test_transparent_palette_entries_are_white() -> None:
    palette = Image.fromarray(np.array([[0, 1]], np.uint8))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.info["transparency"] = 0
    assert np.asarray(over_white(palette)).tolist() == [[[255, 255, 255], [40, 50, 60]]]
    assert np.asarray(over_white(palette.convert("PA"))).tolist() == [[[255, 255, 255], [40, 50, 60]]]


@pytest.mark.parametrize(
    ("mode", "opaque"),
    [("1", "L"), ("L", "L"), ("CMYK", "CMYK"), ("YCbCr", "RGB"), ("HSV", "RGB"), ("RGBX", "RGB")],
)
def test_other_modes_keep_the_colours_that_a_profile_needs(mode: str, opaque: str) -> None:
    assert over_white(Image.new(mode, (2, 2))).mode == opaque
