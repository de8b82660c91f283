"""Greys with more than 8 bits: which value is black and which is white."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from laketag.pipeline.images.image_failure import ImageFailure

DEPTHS = (8, 10, 12, 16)
"""Bits of the sensors whose values are stored in 16."""
PHOTOMETRIC_TAG = 262
WHITE_IS_ZERO = 0


@dataclass(frozen=True)
class GreyLevels:
    """The values that become 0 and 255; ``black`` is the larger one in a negative."""

    black: float
    white: float

    def to_8_bits(self, image: Image.Image) -> Image.Image:
        """The grey picture in mode L."""
        values = np.asarray(image)
        # in 32 bits the difference of two floats may be infinite, and large integers lose their last digits
        wide: np.ndarray = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
        shares = (wide - self.black) / ((self.white - self.black) or 1e-12)
        return Image.fromarray(np.clip(np.rint(shares * 255), 0, 255).astype(np.uint8))


def grey_levels(image: Image.Image, bands: Iterable[Image.Image]) -> GreyLevels:
    """Black and white of a picture in mode I, F or I;16, cut into bands to keep copies small.

    An ImageFailure if a pixel is NaN or infinite: nobody knows what it shows.

    Integers up to 65535 have the depth that their file states, or else the smallest that holds the brightest value, so that a
    10-bit picture in a 16-bit file is not nearly black. Fractions from 0 to 1 are shares of white, other floats up to 255 are
    8-bit greys. Anything else has no stated white, so its own range is stretched.
    """
    ranges, not_finite = [], 0
    for band in bands:
        values = np.asarray(band)
        not_finite += values.size - int(np.isfinite(values).sum())
        ranges.append((float(values.min()), float(values.max())))
    if not_finite:
        raise ImageFailure(
            "not_finite",
            f"{not_finite:,} of {image.width * image.height:,} pixels are NaN or infinite; where these mark missing data, "
            "write the file with a number in their place",
        )
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if low < 0 or high > 65535 or (image.mode == "F" and high > 255):
        return GreyLevels(low, high)
    if image.mode == "F":
        return GreyLevels(0, 1 if high <= 1 else 255)
    white = float(2 ** _depth_bits(image, high) - 1)
    is_negative = getattr(image, "tag_v2", {}).get(PHOTOMETRIC_TAG) == WHITE_IS_ZERO
    return GreyLevels(white, 0) if is_negative else GreyLevels(0, white)


def _depth_bits(image: Image.Image, brightest: float) -> int:
    if image.format not in ("PNG", "TIFF"):  # other decoders scale what their headers state to 16 bits
        return 16
    stated = int(image.info.get("significant_bits", 0))
    # brighter values were scaled, as the PNG specification has it
    if 0 < stated <= 16 and brightest < 2**stated:
        return stated
    return next(bits for bits in DEPTHS if brightest < 2**bits)
