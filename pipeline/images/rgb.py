"""Converts any of Pillow's pixel modes to RGB with 8 bits."""

import numpy as np
from PIL import Image

WHITE = (255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB: transparent parts over white, 16 bits scaled to 8, CMYK without a colour profile."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        pixels = image.convert("RGBA")
        ground = Image.new("RGB", pixels.size, WHITE)
        ground.paste(pixels, mask=pixels.getchannel("A"))
        return ground
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    """Grey values from 0 to 255.

    Integers up to 65535 are 16-bit greys, floats from 0 to 1 are fractions of white, floats up to 255 are 8-bit greys.
    In any other range white is not defined, so the image's own range is stretched.
    """
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind != "f" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    scaled = (values.astype(np.float32) - low) * (255.0 / max(high - low, 1e-12))
    grey: np.ndarray = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return grey
