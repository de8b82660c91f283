"""An image becomes its upright pixels within the bounds, untouched where it can be, and hostile bytes become a failure."""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from laketag.pipeline.config import DecodeSettings
from laketag.pipeline.images.decode import bounded_size, decode
from laketag.pipeline.images.image_failure import ImageFailure
from tests.images.decoding import BOUNDS, KINDS, encode, failure, gradient, pixels

SMALL = {kind: encode(gradient(16, 12), kind) for kind in KINDS}
RNG = np.random.default_rng(7)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, *before: bytes) -> bytes:
    """A PNG made by hand: 8-bit RGB, with chunks before its pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + body + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF"])
def test_lossless_pictures_within_the_bounds_are_untouched(kind: str) -> None:
    picture = gradient() if kind != "GIF" else (gradient() // 86 * 85)  # a GIF has 256 colours
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(pixels(encode(picture, kind, **options)), picture)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("WEBP", {}),
        ("AVIF", {"quality": 90}),
    ],
)
def test_lossy_pictures_are_close(kind: str, options: dict[str, object]) -> None:
    assert np.abs(pixels(encode(gradient(), kind, **options)).astype(int) - gradient()).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_rotated_pictures_are_turned_upright(kind: str, orientation: int) -> None:
    upright = gradient()
    stored = {  # what a camera held that way writes: the inverse of what a viewer must do
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(np.ascontiguousarray(stored), kind, exif=exif, **options)
    found = decode(data, BOUNDS)
    assert (found.width_px, found.height_px) == (64, 48)
    error = np.abs(found.rgb_u8.astype(int) - upright)
    assert error.max() == 0 if kind != "JPEG" else error.mean() < 6


def test_a_rotated_picture_over_the_bounds_states_its_upright_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(gradient(2000, 1000), "JPEG", exif=exif)
    found = decode(data, DecodeSettings(short_side_px=100))
    assert (found.width_px, found.height_px) == (1000, 2000)
    assert found.rgb_u8.shape == (200, 100, 3)


def test_broken_metadata_does_not_lose_the_picture() -> None:
    data = encode(gradient(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert np.array_equal(pixels(data), gradient())


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"])
def test_of_several_pictures_in_a_file_the_first_counts(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    found = pixels(encode(frames[0], kind, save_all=True, append_images=frames[1:]))[8, 8].astype(int)
    assert np.abs(found - (255, 0, 0)).max() < 16


def test_a_picture_of_one_pixel_stays_one_pixel() -> None:
    assert pixels(encode(Image.new("RGB", (1, 1), "red"), "PNG")).tolist() == [[[255, 0, 0]]]


def test_a_thin_picture_within_the_bounds_is_untouched() -> None:
    assert pixels(encode(gradient(20000, 10), "PNG")).shape == (10, 20000, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_shrunk_to_the_short_side(kind: str) -> None:
    data = encode(gradient(3000, 2000), kind)
    found = decode(data, BOUNDS)
    assert (found.width_px, found.height_px) == (3000, 2000)
    assert found.rgb_u8.shape == (512, 768, 3)
    reference = np.asarray(Image.open(io.BytesIO(data)).resize((768, 512), Image.Resampling.LANCZOS))
    assert np.abs(found.rgb_u8.astype(int) - reference).mean() < 1, "as if nothing had been skipped"


def test_shrinking_is_the_same_every_time() -> None:
    data = encode(RNG.integers(0, 256, (1500, 1100, 3), dtype=np.uint8), "JPEG")
    assert len({pixels(data).tobytes() for _ in range(3)}) == 1


@settings(deadline=None)
@given(
    width=st.integers(1, 200_000),
    height=st.integers(1, 200_000),
    side=st.integers(1, 2000),
    area=st.integers(1, 10**7),
)
def test_bounds_hold_for_any_size(width: int, height: int, side: int, area: int) -> None:
    bounds = DecodeSettings(short_side_px=side, bounded_pixels=area)
    bounded_width, bounded_height = bounded_size(width, height, bounds)
    assert 1 <= bounded_width <= width
    assert 1 <= bounded_height <= height
    assert bounded_width * bounded_height <= area
    assert min(bounded_width, bounded_height) <= side
    if min(width, height) <= side and width * height <= area:
        assert (bounded_width, bounded_height) == (width, height)
    if min(bounded_width, bounded_height) > 20:
        assert bounded_width / bounded_height == pytest.approx(width / height, rel=0.1)
    turned = bounded_size(height, width, bounds)
    assert turned == (bounded_height, bounded_width)


def test_zero_bytes_are_empty() -> None:
    assert failure(b"") == "empty"


def test_too_many_pixels_are_refused_by_the_header() -> None:
    bomb = png(60000, 60000, b"\0" * 1000)  # 3.6 gigapixels in a kilobyte
    assert failure(bomb) == "too_many_pixels"
    with pytest.raises(ImageFailure, match=r"too_many_pixels.*64x48 pixels, over decode.max_pixels = 3071"):
        decode(encode(gradient(64, 48), "PNG"), DecodeSettings(max_pixels=64 * 48 - 1))
    within = [
        pixels(encode(gradient(64, 48), "PNG"), DecodeSettings(max_pixels=limit))
        for limit in (64 * 48, 10**9)
    ]
    assert within[0].shape == (48, 64, 3)
    assert (within[0] == within[1]).all(), "so the limit is no part of the fingerprint"


@pytest.mark.parametrize("name", ["JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "PNG"])
def test_in_every_format_the_header_is_enough_to_refuse_too_many_pixels(name: str) -> None:
    assert failure(encode(gradient(64, 48), name), DecodeSettings(max_pixels=3071)) == "too_many_pixels"


def test_the_limit_of_pixels_is_ours_not_pillows() -> None:
    """Pillow warns from 89 million pixels on and refuses twice that."""
    data = encode(Image.new("1", (20_000, 9_000)), "PNG")
    wide = DecodeSettings(max_pixels=10**9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(data, wide).width_px == 20_000
    assert failure(data) == "too_many_pixels"


def test_no_warning_leaks_and_filters_stay_as_they_were() -> None:
    before = list(warnings.filters)
    odd = encode(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        pixels(odd)
        pixels(encode(Image.new("P", (4, 4)), "PNG", transparency=b"\0\1"))
    assert not seen
    assert warnings.filters == before


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_bytes_changed_at_random_give_a_picture_or_a_failure(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")))
    content = bytearray(SMALL[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ImageFailure):
        decode(bytes(content), DecodeSettings(max_pixels=10**6))


def test_threads_decode_side_by_side() -> None:
    images = [encode(gradient(100 + n, 80), "JPEG") for n in range(8)]
    expected = [pixels(image).tobytes() for image in images]
    found: dict[int, list[bytes]] = {}

    def work(name: int) -> Callable[[], None]:
        return lambda: found.__setitem__(name, [pixels(image).tobytes() for image in images])

    threads = [threading.Thread(target=work(name)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(found.values()) == [expected] * 4
