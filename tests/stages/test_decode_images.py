"""Every oddity of an image becomes the right pixels or the right failure, and never an exception."""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from laketag.pipeline.config import DecodeSettings
from laketag.pipeline.images.decode import bounded_size
from laketag.pipeline.stages.decode_images import decode_images

BOUNDS = DecodeSettings()
RNG = np.random.default_rng(7)


def gradient(width: int = 64, height: int = 48) -> np.ndarray:
    """A smooth picture, red across and green down, whose four corners differ."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([across, down, np.full_like(across, 90)], axis=-1).round().astype(np.uint8)


def encode(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


def decode_rows(*images: bytes | None, bounds: DecodeSettings = BOUNDS) -> list[dict[str, object]]:
    """The stage's rows for encoded images; None is a row that failed before."""
    batch = pa.table(
        {
            "image_id": [str(number) for number in range(len(images))],
            "data": pa.array(images, pa.large_binary()),
            "failure": pa.array([None if image is not None else "timeout" for image in images], pa.string()),
            "failure_detail": pa.array([None] * len(images), pa.string()),
            "attempts": pa.array([1] * len(images), pa.int32()),
        }
    )
    table = decode_images(batch, decode=bounds)
    assert "data" not in table.column_names
    assert table.schema.field("rgb_u8").type == pa.large_binary()
    assert table["image_id"].to_pylist() == batch["image_id"].to_pylist()
    rows: list[dict[str, object]] = table.to_pylist()
    return rows


def pixels(image: bytes, bounds: DecodeSettings = BOUNDS) -> np.ndarray:
    """The decoded picture; its stated sizes agree with its bytes."""
    row = decode_rows(image, bounds=bounds)[0]
    assert row["failure"] is None, row
    shape = (row["bounded_height_px"], row["bounded_width_px"], 3)
    return np.frombuffer(row["rgb_u8"], np.uint8).reshape(shape)  # type: ignore[call-overload]  # bytes and ints


def failure(image: bytes, bounds: DecodeSettings = BOUNDS) -> str:
    row = decode_rows(image, bounds=bounds)[0]
    assert row["rgb_u8"] is None
    assert row["width_px"] is None
    assert row["failure_detail"], "a failure says what exactly went wrong"
    return str(row["failure"])


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, *before: bytes) -> bytes:
    """A PNG made by hand: 8-bit RGB, with chunks before its pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + body + png_chunk(b"IEND", b"")


# --- pixels ---------------------------------------------------------------------------------------------------------


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


def test_content_decides_not_the_name() -> None:
    """There is no name: bytes of each kind in one batch are all recognised."""
    kinds = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
    rows = decode_rows(*[encode(gradient(), kind) for kind in kinds])
    assert {row["failure"] for row in rows} == {None}


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
    row = decode_rows(data)[0]
    assert (row["width_px"], row["height_px"]) == (64, 48)
    error = np.abs(pixels(data).astype(int) - upright)
    assert error.max() == 0 if kind != "JPEG" else error.mean() < 6


def test_a_rotated_picture_over_the_bounds_states_its_upright_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(gradient(2000, 1000), "JPEG", exif=exif)
    row = decode_rows(data, bounds=DecodeSettings(short_side_px=100))[0]
    assert (row["width_px"], row["height_px"]) == (1000, 2000)
    assert (row["bounded_width_px"], row["bounded_height_px"]) == (100, 200)


def test_broken_metadata_does_not_lose_the_picture() -> None:
    data = encode(gradient(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert np.array_equal(pixels(data), gradient())


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


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    found = pixels(encode(frames[0], kind, save_all=True, append_images=frames[1:]))[8, 8].astype(int)
    assert np.abs(found - (255, 0, 0)).max() < 16


def test_a_picture_of_one_pixel_stays_one_pixel() -> None:
    assert pixels(encode(Image.new("RGB", (1, 1), "red"), "PNG")).tolist() == [[[255, 0, 0]]]


def test_a_thin_picture_within_the_bounds_is_untouched() -> None:
    assert pixels(encode(gradient(20000, 10), "PNG")).shape == (10, 20000, 3)


def test_a_colour_profile_is_carried_without_harm() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(pixels(encode(gradient(), "PNG", icc_profile=profile)), gradient())


# --- bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_shrunk_to_the_short_side(kind: str) -> None:
    data = encode(gradient(3000, 2000), kind)
    row = decode_rows(data)[0]
    assert (row["width_px"], row["height_px"]) == (3000, 2000)
    assert (row["bounded_width_px"], row["bounded_height_px"]) == (768, 512)
    reference = np.asarray(Image.open(io.BytesIO(data)).resize((768, 512), Image.Resampling.LANCZOS))
    assert np.abs(pixels(data).astype(int) - reference).mean() < 1, "as if nothing had been skipped"


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


# --- failures -------------------------------------------------------------------------------------------------------


def test_zero_bytes_are_empty() -> None:
    assert failure(b"") == "empty"


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"%PDF-1.7\n",
        b"BM is how this text begins, but it is no bitmap at all",
        b"P5 is a letter and a digit",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"\0",
        b"PK\x03\x04",
        b"\0\0\1\0\1\0 icon",
        bytes(range(256)),
    ],
    ids=["html", "svg", "eps", "pdf", "text-bm", "text-p5", "heic", "nul", "zip", "icon", "noise"],
)
def test_what_is_no_image_is_unsupported(content: bytes) -> None:
    assert failure(content) in ("unsupported", "undecodable" if content.startswith(b"P5") else "unsupported")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("PPM", {}),
        ("AVIF", {}),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_cut_short_is_truncated(kind: str, options: dict[str, object], share: float) -> None:
    picture = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(picture, kind, **options)
    assert failure(data[: int(len(data) * share)]) == "truncated"


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("GIF", {})],
)
def test_wherever_a_file_is_cut_it_gives_the_whole_picture_or_none(
    kind: str, options: dict[str, object]
) -> None:
    data = encode(RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8), kind, **options)
    whole = pixels(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for row in decode_rows(*[data[:kept] for kept in range(1, len(data))]):
            half = row["rgb_u8"]
            assert half is None or half == whole.tobytes(), "no half-grey pictures"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("kept", [8, 12, 24, 40])
def test_a_file_cut_in_its_header_is_truncated(kind: str, kept: int) -> None:
    data = encode(gradient(), kind)[:kept]
    assert failure(data) == ("truncated" if len(data) >= 12 or kind != "WEBP" else "unsupported")


def test_a_recognised_but_broken_file_is_undecodable() -> None:
    good = encode(gradient(), "PNG")
    position = good.index(b"IDAT") + 12
    assert failure(good[:position] + b"\xff" * 40 + good[position + 40 :]) == "undecodable"
    jpeg = encode(gradient(), "JPEG")
    assert failure(jpeg[:3] + bytes(40) + jpeg[43:]) == "undecodable"


def test_too_many_pixels_are_refused_by_the_header() -> None:
    bomb = png(60000, 60000, b"\0" * 1000)  # 3.6 gigapixels in a kilobyte
    assert failure(bomb) == "too_many_pixels"
    row = decode_rows(encode(gradient(64, 48), "PNG"), bounds=DecodeSettings(max_pixels=64 * 48 - 1))[0]
    assert row["failure"] == "too_many_pixels"
    assert "64x48" in str(row["failure_detail"])
    assert pixels(encode(gradient(64, 48), "PNG"), DecodeSettings(max_pixels=64 * 48)).shape == (48, 64, 3)


def test_the_limit_of_pixels_is_ours_not_pillows() -> None:
    """Pillow warns from 89 million pixels on and refuses twice that."""
    data = encode(Image.new("1", (20_000, 9_000)), "PNG")
    wide = DecodeSettings(max_pixels=10**9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_rows(data, bounds=wide)[0]["failure"] is None
    assert failure(data) == "too_many_pixels"


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_that_unpacks_to_gigabytes_never_crashes(kind: bytes) -> None:
    packed = zlib.compress(bytes(80_000_000))
    head = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind]
    rows = (b"\0" + b"\x10\x20\x30" * 4) * 4
    row = decode_rows(png(4, 4, rows, png_chunk(kind, head + packed)))[0]
    assert row["failure"] in (None, "undecodable")


def test_no_warning_leaks_and_filters_stay_as_they_were() -> None:
    before = list(warnings.filters)
    odd = encode(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        decode_rows(odd, encode(Image.new("P", (4, 4)), "PNG", transparency=b"\0\1"))
    assert not seen
    assert warnings.filters == before


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_bytes_changed_at_random_never_raise(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")))
    content = bytearray(SMALL[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    row = decode_rows(bytes(content), bounds=DecodeSettings(max_pixels=10**6))[0]
    assert (row["failure"] is None) == (row["rgb_u8"] is not None)


SMALL = {
    kind: encode(gradient(16, 12), kind)
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
}


# --- the stage ------------------------------------------------------------------------------------------------------


def test_earlier_failures_pass_through_and_rows_keep_their_order() -> None:
    rows = decode_rows(encode(gradient(), "PNG"), None, b"", encode(gradient(), "JPEG"))
    assert [row["failure"] for row in rows] == [None, "timeout", "empty", None]
    assert [row["rgb_u8"] is None for row in rows] == [False, True, True, False]
    assert {row["attempts"] for row in rows} == {1}


def test_an_empty_batch_stays_empty() -> None:
    assert decode_rows() == []


def test_batches_of_failures_keep_their_types() -> None:
    batch = pa.table(
        {
            "image_id": ["a"],
            "data": pa.array([None], pa.large_binary()),
            "failure": ["timeout"],
            "failure_detail": ["d"],
        }
    )
    table = decode_images(batch, decode=BOUNDS)
    kinds = {
        name: table.schema.field(name).type for name in ("rgb_u8", "width_px", "bounded_height_px", "failure")
    }
    assert kinds == {
        "rgb_u8": pa.large_binary(),
        "width_px": pa.int32(),
        "bounded_height_px": pa.int32(),
        "failure": pa.string(),
    }


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
