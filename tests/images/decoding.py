"""Pictures in many encodings, and what decoding gives, for tests."""

import io

import numpy as np
import pytest
from PIL import Image

from laketag.pipeline.config import DecodeSettings
from laketag.pipeline.images.decode import decode
from laketag.pipeline.images.image_failure import ImageFailure

BOUNDS = DecodeSettings()
KINDS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")


def gradient(width: int = 64, height: int = 48) -> np.ndarray:
    """A smooth picture, red across and green down, whose four corners differ."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([across, down, np.full_like(across, 90)], axis=-1).round().astype(np.uint8)


def encode(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


def pixels(image: bytes, bounds: DecodeSettings = BOUNDS) -> np.ndarray:
    """The decoded picture."""
    return decode(image, bounds).rgb_u8


def failure(image: bytes, bounds: DecodeSettings = BOUNDS) -> str:
    """The reason why the image gives no picture."""
    with pytest.raises(ImageFailure) as raised:
        decode(image, bounds)
    assert raised.value.detail, "a failure says what exactly went wrong"
    return raised.value.reason
