"""What is damaged or too large beside the pixels of a PNG changes no pixel of it."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from laketag.pipeline.images.png_chunks import open_png
from tests.images.decoding import encode, failure, pixels

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
BOMB = zlib.compress(b"x" * 2**21)
BOMBS = {
    "zTXt": b"Comment\0\0" + BOMB,
    "iTXt": b"Comment\0\1\0\0\0" + BOMB,
    "iCCP": b"profile\0\0" + BOMB,
    "XMP": b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB,
    "EXIF of ImageMagick": b"Raw profile type exif\0\0" + BOMB,
}
KINDS = {"XMP": b"iTXt", "EXIF of ImageMagick": b"zTXt"}
ANCILLARY = (
    b"acTL",
    b"bKGD",
    b"cHRM",
    b"eXIf",
    b"fcTL",
    b"fdAT",
    b"gAMA",
    b"hIST",
    b"iCCP",
    b"iTXt",
    b"pHYs",
    b"prVt",
    b"sBIT",
    b"sPLT",
    b"sRGB",
    b"tEXt",
    b"tIME",
    b"zTXt",
)


def chunk(name: bytes, content: bytes, *, damaged: bool = False) -> bytes:
    """One chunk of a PNG, with a wrong checksum if damaged."""
    checksum = zlib.crc32(name + content) ^ damaged
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(before: bytes = b"", after: bytes = b"") -> bytes:
    """The picture with chunks before and after its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS)))
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + after + chunk(b"IEND", b"")


@pytest.mark.parametrize("place", ["before", "after", "both"])
@pytest.mark.parametrize("name", BOMBS)
def test_a_chunk_that_unpacks_to_megabytes_changes_no_pixel(name: str, place: str) -> None:
    bomb = chunk(KINDS.get(name, name.encode()), BOMBS[name])
    data = png(bomb if place != "after" else b"", bomb if place != "before" else b"")
    assert np.array_equal(pixels(data), PIXELS)


def test_many_texts_within_the_limit_change_no_pixel() -> None:
    """Pillow refuses a PNG whose texts unpack to more than 64 MB together."""
    text = zlib.compress(bytes(10**6))
    texts = b"".join(chunk(b"zTXt", b"key %d\0\0" % number + text) for number in range(80))
    assert np.array_equal(pixels(png(texts, texts)), PIXELS)


@pytest.mark.parametrize("name", ANCILLARY)
def test_an_ancillary_chunk_with_nonsense_or_a_wrong_checksum_changes_no_pixel(name: bytes) -> None:
    for content in (b"", b"x", b"garbage\0\5\xff", b"x" * 300):
        for damaged in (False, True):
            beside = chunk(name, content, damaged=damaged)
            assert np.array_equal(pixels(png(beside, beside)), PIXELS), (content, damaged)


def test_transparency_counts_only_where_its_chunk_is_sound() -> None:
    key = struct.pack(">3H", *map(int, PIXELS[0, 0]))
    assert pixels(png(chunk(b"tRNS", key)))[0, 0].tolist() == [255, 255, 255]
    for broken in (chunk(b"tRNS", key, damaged=True), chunk(b"tRNS", b"\0"), chunk(b"tRNS", bytes(300))):
        assert np.array_equal(pixels(png(broken)), PIXELS)


def test_a_palette_with_more_alphas_than_colours_is_opaque() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(b"\0\0\1")) + chunk(b"IEND", b"")
    palette = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    data = b"\x89PNG\r\n\x1a\n" + header + palette + chunk(b"tRNS", bytes(300)) + rest
    assert pixels(data).tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_a_file_that_ends_in_a_chunk_behind_its_pixels_is_whole() -> None:
    lost = struct.pack(">I", 10**9) + b"tEXt" + b"the rest is gone"
    assert np.array_equal(pixels(png(b"", lost)), PIXELS)
    assert np.array_equal(pixels(png()[:-12]), PIXELS)


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_orientation_in_a_text_counts(place: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    raw = exif.tobytes()
    exif_text = f"\nexif\n{len(raw):8}\n{raw.hex()}\n".encode()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="3"/></x:xmpmeta>'
    for text in (
        chunk(b"eXIf", raw.removeprefix(b"Exif\0\0")),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(exif_text)),
    ):
        data = png(**{place: text})
        assert np.array_equal(pixels(data), PIXELS[::-1, ::-1]), text[4:40]


def test_a_broken_animation_shows_its_picture() -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1].copy())]
    whole = encode(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert np.array_equal(pixels(whole), PIXELS)
    start = whole.index(b"fcTL") + 4
    assert np.array_equal(pixels(whole[:start] + b"\xff" * 8 + whole[start + 8 :]), PIXELS)


def test_a_critical_chunk_with_a_wrong_checksum_is_still_refused() -> None:
    data = png()
    start = data.index(b"IHDR") + 17
    assert failure(data[:start] + b"\0\0\0\0" + data[start + 4 :]) == "undecodable"


@pytest.mark.parametrize(
    "chunks",
    [
        chunk(b"IDAT", b""),
        chunk(b"IDAT", b"") + chunk(b"tEXt", b""),
        chunk(b"tEXt", b""),
        chunk(b"QQQQ", b"x") + chunk(b"tEXt", b""),
        b"".join(
            chunk(b"aa%c%c" % (65 + n // 26, 65 + n % 26), b"XML:com.adobe.xmp\0") for n in range(26 * 26)
        ),
    ],
    ids=["empty pixels", "empty pixels between texts", "texts", "unknown between texts", "unknown texts"],
)
def test_tiny_chunks_take_no_more_memory_than_a_few_copies_of_the_file(chunks: bytes) -> None:
    data = png(chunks * (2**20 // len(chunks)))
    tracemalloc.start()
    try:
        with open_png(io.BytesIO(data)):
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(data)


def test_empty_chunks_of_pixels_change_no_pixel() -> None:
    empty = chunk(b"IDAT", b"")
    assert np.array_equal(pixels(png(empty * 1000, empty * 1000)), PIXELS)


def test_a_picture_without_pixels_is_none() -> None:
    header = png()[:33]
    assert failure(header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")) in ("truncated", "undecodable")
