"""Images to label: good ones in many formats, and one broken file for each failure reason."""

import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image

from tests.images.icc_profiles import DISPLAY_P3, matrix_profile, rgb_to_xyz, srgb_to_linear


def picture(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """An image of coloured blocks, different for each seed."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The image as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(side_px: int = 60_000) -> bytes:
    """A small PNG whose header claims more pixels than anyone should decode."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side_px, side_px, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def with_text_bomb(png: bytes) -> bytes:
    """The PNG with a text of 2 MB, packed, behind its header; viewers skip it."""
    return png[:33] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**21))) + png[33:]


def heic(image: Image.Image) -> bytes:
    """The picture as a phone saves it."""
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file)
    return file.getvalue()


def spoilt(data: bytes) -> bytes:
    """The file with zeros in its middle."""
    middle = len(data) // 2
    return data[:middle] + bytes(64) + data[middle + 64 :]


GOOD = {
    "cats/plain.jpg": encoded(picture(1)),
    "cats/plain.png": encoded(picture(2), "PNG"),
    "cats/grey.jpg": encoded(picture(3).convert("L")),
    "cats/palette.gif": encoded(picture(4).convert("P"), "GIF"),
    "dogs/alpha.png": encoded(picture(5).convert("RGBA"), "PNG"),
    "dogs/cmyk.jpg": encoded(picture(6).convert("CMYK")),
    "dogs/sixteen-bit.png": encoded(
        Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16), "PNG"
    ),
    "dogs/ten-bit.png": encoded(Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32)), "PNG"),
    "dogs/text-bomb.png": with_text_bomb(encoded(picture(15), "PNG")),
    "dogs/display-p3.jpg": encoded(
        picture(16), icc_profile=matrix_profile(rgb_to_xyz(DISPLAY_P3), srgb_to_linear)
    ),
    "dogs/phone.heic": heic(picture(17)),
    "dogs/two-pages.tif": encoded(picture(18), "TIFF", save_all=True, append_images=[picture(19)]),
    "dogs/progressive.jpg": encoded(picture(7), progressive=True),
    "birds/one-pixel.png": encoded(picture(8, (1, 1)), "PNG"),
    "birds/wrong-extension.jpg": encoded(picture(9), "PNG"),
    "birds/animated.gif": encoded(
        picture(10).convert("P"), "GIF", save_all=True, append_images=[picture(11).convert("P")]
    ),
    "birds/animated.webp": encoded(picture(12), "WEBP", save_all=True, append_images=[picture(13)]),
    "birds/long.png": encoded(picture(14, (20_000, 10)), "PNG"),
}
"""Name → content of images that can be labelled."""

BROKEN = {
    "cats/empty.jpg": (b"", "empty"),
    "cats/truncated.jpg": (encoded(picture(20))[:-300], "truncated"),
    "cats/page.jpg": (b"<!doctype html><title>404</title>", "unsupported"),
    "dogs/spoilt.png": (spoilt(encoded(picture(21), "PNG")), "undecodable"),
    "dogs/bomb.png": (png_bomb(), "too_many_pixels"),
    "dogs/heavy.bmp": (encoded(picture(22, (400, 300)), "BMP"), "too_large"),
}
"""Name → content and failure reason of images that fail; too_large with fetch.max_bytes = 300,000."""
