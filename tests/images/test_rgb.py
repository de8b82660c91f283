"""Every mode of pixels becomes the RGB that a viewer shows."""

import numpy as np
import pytest
from PIL import Image

from tests.images.decoding import encode, gradient, pixels


def test_greyscale_is_grey() -> None:
    grey = gradient()[..., 0]
    assert np.array_equal(pixels(encode(grey, "PNG")), np.stack([grey] * 3, axis=-1))


def test_one_bit_is_black_and_white() -> None:
    assert set(np.unique(pixels(encode(Image.fromarray(gradient()[..., 0] > 127), "PNG")))) == {0, 255}


def test_16_bits_are_scaled_to_8() -> None:
    grey = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    expected = np.stack([np.rint(grey / 257).astype(np.uint8)] * 3, axis=-1)
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(pixels(encode(Image.fromarray(grey), kind)), expected), kind
    pgm = b"P5 16 16 65535\n" + grey.astype(">u2").tobytes()
    assert np.array_equal(pixels(pgm), expected)
    big_endian = Image.frombytes("I;16B", (16, 16), grey.astype(">u2").tobytes())
    assert np.array_equal(pixels(encode(big_endian, "TIFF")), expected)


def test_dark_16_bit_pictures_stay_dark() -> None:
    assert pixels(encode(Image.fromarray(np.full((4, 4), 514, np.uint16)), "PNG")).max() == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]]), [0, 128, 255]),  # shares of white
        (np.array([[0.0, 100.0, 255.0]]), [0, 100, 255]),  # 8-bit greys
        (np.array([[-100.0, 0.0, 900.0]]), [0, 26, 255]),  # no stated white: stretched
        (np.array([[np.nan, np.inf, 1.0]]), [0, 0, 255]),
        (np.array([[7.0, 7.0, 7.0]]), [7, 7, 7]),
    ],
)
def test_floats_are_scaled_as_documented(values: np.ndarray, expected: list[int]) -> None:
    assert pixels(encode(Image.fromarray(values.astype(np.float32)), "TIFF"))[0, :, 0].tolist() == expected


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
