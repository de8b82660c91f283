"""Shrinking a picture before its pixels are widened, so that a large one of 1 or 16 bits a pixel needs little memory."""

import math
from collections.abc import Iterator

from PIL import Image

from laketag.pipeline.images.grey_levels import grey_levels
from laketag.pipeline.images.transparency import over_white

RESIZE_GAP = 3.0
"""Shrinking by more than this begins with a box average, which cannot be told from the slow way (Pillow's docs)."""
BAND_PIXELS = 1 << 20
"""Pixels that are widened at once: 4 MB of RGB."""


def shrink(image: Image.Image, width_px: int, height_px: int) -> Image.Image:
    """The loaded picture at this size, opaque, in mode L, RGB, CMYK or LAB.

    The same pixels as ``resize(…, LANCZOS, reducing_gap=RESIZE_GAP)`` of the whole opaque picture. Where a picture is to be
    converted, that and the box average work on one band of rows after another.
    """
    size = (width_px, height_px)
    to_opaque = over_white
    if image.mode == "F" or image.mode.startswith("I"):
        to_opaque = grey_levels(image, _bands(image, 1)).to_8_bits
    if image.size == size:
        return to_opaque(image)
    pixel = image.crop((0, 0, 1, 1))
    if to_opaque(pixel) is pixel:  # nothing to convert
        return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=RESIZE_GAP)
    across = max(1, int(image.width / width_px / RESIZE_GAP))
    down = max(1, int(image.height / height_px / RESIZE_GAP))
    averaged_size = (math.ceil(image.width / across), math.ceil(image.height / down))
    averaged = Image.new(to_opaque(pixel).mode, averaged_size)
    top = 0
    for band in _bands(image, down):
        part = to_opaque(band).reduce((across, down))
        averaged.paste(part, (0, top))
        top += part.height
    box = (0, 0, image.width / across, image.height / down)
    return averaged.resize(size, Image.Resampling.LANCZOS, box=box)


def _bands(image: Image.Image, rows_together: int) -> Iterator[Image.Image]:
    """The picture from top to bottom in parts of about BAND_PIXELS, cut between groups of rows."""
    rows = max(1, BAND_PIXELS // (image.width * rows_together)) * rows_together
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))
