"""Formats are recognised by content, and of a file that is none, broken or cut short the reason says which."""

from contextlib import suppress

import numpy as np
import pytest

from laketag.pipeline.images.image_failure import ImageFailure
from tests.images.decoding import KINDS, encode, failure, gradient, pixels

RNG = np.random.default_rng(7)


def test_content_decides_not_the_name() -> None:
    """There is no name: bytes of each kind are recognised."""
    for kind in KINDS:
        assert pixels(encode(gradient(), kind)).shape == gradient().shape, kind


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"%PDF-1.7\n",
        b"BM is how this text begins, but it is no bitmap at all",
        b"P5 is a letter and a digit",
        b"\0",
        b"PK\x03\x04",
        b"\0\0\1\0\1\0 icon",
        bytes(range(256)),
    ],
    ids=["html", "svg", "eps", "pdf", "text-bm", "text-p5", "nul", "zip", "icon", "noise"],
)
def test_what_is_no_image_is_unsupported(content: bytes) -> None:
    assert failure(content) == "unsupported"


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
        ("PPM", {}),
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
    for kept in range(1, len(data)):
        with suppress(ImageFailure):
            assert np.array_equal(pixels(data[:kept]), whole), "no half-grey pictures"


@pytest.mark.parametrize(("kind", "options"), [("TIFF", {"compression": "tiff_lzw"}), ("AVIF", {})])
def test_where_the_decoder_does_not_say_that_bytes_are_missing_a_cut_file_is_broken(
    kind: str, options: dict[str, object]
) -> None:
    data = encode(gradient(), kind, **options)
    assert failure(data[: len(data) // 2]) in ("truncated", "undecodable")


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
