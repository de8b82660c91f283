"""Greys with more than 8 bits become as bright as viewers show them."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.images.decoding import encode, failure, pixels


def greys(data: bytes) -> np.ndarray:
    return pixels(data)[..., 0].astype(int)


def with_significant_bits(data: bytes, bits: int) -> bytes:
    """The PNG with an sBIT chunk behind its header."""
    chunk = b"sBIT" + bytes([bits])
    return data[:33] + struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_a_sensors_bits_in_16_look_as_if_they_were_scaled(kind: str, bits: int) -> None:
    values = np.linspace(0, 2**bits - 1, 64 * 64).round().astype(np.uint16).reshape(64, 64)
    scaled = np.linspace(0, 65535, 64 * 64).round().astype(np.uint16).reshape(64, 64)
    assert np.abs(greys(encode(values, kind)) - greys(encode(scaled, kind))).max() <= 2


def test_the_stated_depth_counts_before_the_brightest_value() -> None:
    values = np.full((4, 4), 514, np.uint16)
    assert greys(encode(values, "PNG")).max() == 128, "10 bits hold 514"
    assert greys(with_significant_bits(encode(values, "PNG"), 12)).max() == 32
    assert greys(with_significant_bits(encode(values, "PNG"), 16)).max() == 2, (
        "a dark picture of 16 bits stays dark"
    )


def test_values_over_the_stated_depth_were_scaled_as_the_specification_wants() -> None:
    values = np.array([[0, 32896, 65535]], np.uint16)
    assert greys(with_significant_bits(encode(values, "PNG"), 10)).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("stated", [0, 17, 255])
def test_an_impossible_depth_is_ignored(stated: int) -> None:
    values = np.array([[0, 1023]], np.uint16)
    assert greys(with_significant_bits(encode(values, "PNG"), stated)).tolist() == [[0, 255]]


def test_a_black_picture_is_black() -> None:
    assert greys(encode(np.zeros((4, 4), np.uint16), "PNG")).max() == 0


def test_integers_of_32_bits_have_the_depth_that_holds_them() -> None:
    assert greys(encode(np.array([[0, 2048, 4095]], np.int32), "TIFF")).tolist() == [[0, 128, 255]]
    assert greys(encode(np.array([[0, 32768, 65535]], np.int32), "TIFF")).tolist() == [[0, 128, 255]]


def test_a_pnm_states_its_white() -> None:
    dark = b"P5 2 1 65535\n" + np.array([[0, 514]], ">u2").tobytes()
    assert greys(dark).tolist() == [[0, 2]]
    ten_bits = b"P5 2 1 1023\n" + np.array([[0, 512]], ">u2").tobytes()
    assert greys(ten_bits).tolist() == [[0, 128]]


def test_a_negative_of_16_bits_is_turned() -> None:
    values = np.array([[0, 65535]], np.uint16)
    assert greys(encode(values, "TIFF", tiffinfo={262: 0})).tolist() == [[255, 0]]


def test_levels_are_those_of_the_whole_picture_not_of_a_band() -> None:
    """The picture is converted in bands of a megapixel; its top is dark and its bottom bright."""
    values = np.zeros((3000, 1000), np.uint16)
    values[:1500], values[1500:] = 512, 65535
    found = greys(encode(values, "PNG"))
    assert (found[100].max(), found[-100].min()) == (2, 255)
    floats = np.where(values < 65535, -100, 900).astype(np.float32)
    found = greys(encode(floats, "TIFF"))
    assert (found[100].max(), found[-100].min()) == (0, 255)


def test_16_bits_are_scaled_to_8() -> None:
    grey = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    expected = np.stack([np.rint(grey / 257).astype(np.uint8)] * 3, axis=-1)
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(pixels(encode(Image.fromarray(grey), kind)), expected), kind
    pgm = b"P5 16 16 65535\n" + grey.astype(">u2").tobytes()
    assert np.array_equal(pixels(pgm), expected)
    big_endian = Image.frombytes("I;16B", (16, 16), grey.astype(">u2").tobytes())
    assert np.array_equal(pixels(encode(big_endian, "TIFF")), expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]]), [0, 128, 255]),  # shares of white
        (np.array([[0.0, 100.0, 255.0]]), [0, 100, 255]),  # 8-bit greys
        (np.array([[-100.0, 0.0, 900.0]]), [0, 26, 255]),  # no stated white: stretched
        (np.array([[7.0, 7.0, 7.0]]), [7, 7, 7]),
        (np.array([[-3e38, 0.0, 3e38]]), [0, 128, 255]),
        (np.array([[1e-40, 0.0, 1.0]]), [0, 0, 255]),
    ],
)
def test_floats_are_scaled_as_documented(values: np.ndarray, expected: list[int]) -> None:
    assert pixels(encode(Image.fromarray(values.astype(np.float32)), "TIFF"))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side_px", [3, 1500])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_picture_with_a_pixel_that_is_not_finite_fails_as_not_finite(
    value: float, side_px: int, share: float
) -> None:
    """One pixel, or all of them. Large pictures are looked at band by band, and the pixel is in the last one."""
    values = np.full((side_px, side_px), value if share else 0.5, np.float32)
    values[-1, -1] = value
    assert failure(encode(values, "TIFF")) == "not_finite"


def test_large_integers_that_differ_little_are_told_apart() -> None:
    values = np.array([[2_000_000_000, 2_000_000_050, 2_000_000_100]], np.int32)
    assert greys(encode(values, "TIFF")).tolist() == [[0, 128, 255]]
