"""Every mode of 8 bits becomes the opaque colours that a viewer shows."""

import numpy as np
import pytest
from PIL import Image

from laketag.pipeline.images.transparency import over_white
from tests.images.decoding import encode, gradient, pixels

HALF = {"RGBA": (100, 0, 200, 128), "RGBa": (50, 0, 100, 128), "LA": (100, 128), "La": (50, 128)}


@pytest.mark.parametrize("mode", HALF)
def test_half_transparent_is_half_white(mode: str) -> None:
    found = over_white(Image.new(mode, (4, 4), HALF[mode]))
    assert found.mode == ("RGB" if mode.startswith("RGB") else "L")
    expected = [177, 127, 227] if found.mode == "RGB" else 177
    assert np.abs(np.asarray(found)[0, 0].astype(int) - expected).max() <= 1


def test_transparent_palette_entries_with_an_alpha_channel_are_white() -> None:
    palette = Image.fromarray(np.array([[0, 1]], np.uint8))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.info["transparency"] = 0
    assert np.asarray(over_white(palette.convert("PA"))).tolist() == [[[255, 255, 255], [40, 50, 60]]]


@pytest.mark.parametrize(
    ("mode", "opaque"),
    [("1", "L"), ("L", "L"), ("CMYK", "CMYK"), ("YCbCr", "RGB"), ("HSV", "RGB"), ("RGBX", "RGB")],
)
def test_other_modes_keep_the_colours_that_a_profile_needs(mode: str, opaque: str) -> None:
    assert over_white(Image.new(mode, (2, 2))).mode == opaque


def test_greyscale_is_grey() -> None:
    grey = gradient()[..., 0]
    assert np.array_equal(pixels(encode(grey, "PNG")), np.stack([grey] * 3, axis=-1))


def test_one_bit_is_black_and_white() -> None:
    assert set(np.unique(pixels(encode(Image.fromarray(gradient()[..., 0] > 127), "PNG")))) == {0, 255}


def test_transparent_parts_lie_over_white() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 0] = 200
    rgba[0, :, 3] = (0, 128, 255)
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        found = pixels(encode(Image.fromarray(rgba), kind, **options))[0].astype(int)
        assert np.abs(found - [[255, 255, 255], [227, 127, 127], [200, 0, 0]]).max() <= 1, kind


def test_transparent_palettes_and_greys_lie_over_white() -> None:
    palette = Image.fromarray(np.array([[0, 1]], np.uint8))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    expected = [[255, 255, 255], [40, 50, 60]]
    assert pixels(encode(palette, "PNG", transparency=0))[0].tolist() == expected
    assert pixels(encode(palette, "PNG", transparency=b"\0\xff"))[0].tolist() == expected
    assert pixels(encode(palette, "GIF", transparency=0))[0].tolist() == expected
    grey_alpha = Image.fromarray(np.array([[[9, 0], [9, 255]]], np.uint8), "LA")
    assert pixels(encode(grey_alpha, "PNG"))[0].tolist() == [[255, 255, 255], [9, 9, 9]]
    keyed = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    assert pixels(encode(keyed, "PNG", transparency=(1, 2, 3)))[0].tolist() == [[255, 255, 255], [4, 5, 6]]


def test_palette_colours_are_the_palettes() -> None:
    quantised = Image.fromarray(gradient()).quantize(16)
    assert np.array_equal(pixels(encode(quantised, "PNG")), np.asarray(quantised.convert("RGB")))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_the_right_way_round(kind: str) -> None:
    """Pillow writes CMYK JPEGs inverted with Adobe's marker, as Photoshop does."""
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # full magenta and yellow are red
    red, green, blue = pixels(encode(ink, kind))[8, 8]
    assert (red > 240, green < 15, blue < 15) == (True, True, True)
