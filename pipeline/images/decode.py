"""Decodes the bytes of an image to upright RGB pixels of bounded size, or says why it cannot."""

import io
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from laketag.pipeline.config import DecodeSettings
from laketag.pipeline.images.colour_profiles import to_srgb
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_formats import SNIFFED_BYTES, ends_early, sniff_format
from laketag.pipeline.images.shrinking import shrink

DRAFT_GAP = 2.0
"""A JPEG is decoded at 1/2, 1/4 or 1/8 if that is still this much larger than wanted (Pillow's Image.thumbnail)."""

UPRIGHT = {  # EXIF orientation → the transposition that turns the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = {5, 6, 7, 8}
"""EXIF orientations that swap width and height."""
ORIENTATION_TAG = 0x0112

_quiet_lock = threading.RLock()


@dataclass(frozen=True)
class Decoded:
    """Pixels within the bounds, and the size of the whole upright picture."""

    rgb_u8: UInt8[np.ndarray, "height width 3"]
    width_px: int
    height_px: int


def decode(data: bytes | memoryview, settings: DecodeSettings) -> Decoded:
    """The upright picture, shrunk if it exceeds the bounds and otherwise untouched; an ImageFailure if it cannot be decoded."""
    if len(data) == 0:
        raise ImageFailure("empty", "zero bytes")
    opener = sniff_format(bytes(data[:SNIFFED_BYTES]))
    if opener is None:
        raise ImageFailure(
            "unsupported", f"not an image format that is read; begins with {bytes(data[:16])!r}"
        )
    try:
        with _quiet(), opener(io.BytesIO(data)) as image:
            width_px, height_px = image.size
            if width_px * height_px > settings.max_pixels:
                raise ImageFailure(
                    "too_many_pixels",
                    f"{width_px}x{height_px} pixels, over decode.max_pixels = {settings.max_pixels}",
                )
            return _load(image, settings)
    except (ImageFailure, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageFailure("too_many_pixels", str(error)) from None
    except Exception as error:  # noqa: BLE001  # on hostile bytes parsers raise any exception
        detail = f"{type(error).__name__}: {error}"[:300]
        raise ImageFailure("truncated" if ends_early(data, error) else "undecodable", detail) from None


def bounded_size(width_px: int, height_px: int, settings: DecodeSettings) -> tuple[int, int]:
    """The picture's size within the bounds, with the aspect ratio kept as closely as whole pixels allow."""
    by_side = settings.short_side_px / min(width_px, height_px)
    by_area = math.sqrt(settings.bounded_pixels / (width_px * height_px))
    scale = min(by_side, by_area)
    if scale >= 1:
        return width_px, height_px
    fit = round if by_side <= by_area else math.floor
    width, height = max(1, fit(width_px * scale)), max(1, fit(height_px * scale))
    if width * height > settings.bounded_pixels:  # very thin, or rounded up
        longest = settings.bounded_pixels // min(width, height)
        width, height = min(width, longest), min(height, longest)
    return width, height


def _load(image: Image.Image, settings: DecodeSettings) -> Decoded:
    width_px, height_px = image.size
    width, height = bounded_size(width_px, height_px, settings)
    if (width, height) != (width_px, height_px):
        image.draft(None, (math.ceil(width * DRAFT_GAP), math.ceil(height * DRAFT_GAP)))
    image.load()
    orientation = _orientation(image)
    picture = to_srgb(shrink(image, width, height), image.info.get("icc_profile"))
    if orientation in UPRIGHT:
        picture = picture.transpose(UPRIGHT[orientation])
    if orientation in SIDEWAYS:
        width_px, height_px = height_px, width_px
    return Decoded(np.asarray(picture), width_px, height_px)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 if there is none or it is broken; read after loading, which turns TIFF and JPEG XL upright."""
    if image.format == "JXL":
        return 1
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
        return int(value)
    except Exception:  # noqa: BLE001  # broken metadata must not cost the picture
        return 1


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides Pillow's warnings about broken images, which become failures here. The lock keeps threads from mixing up filters."""
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
