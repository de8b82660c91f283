"""Stage: decoded images in, a small picture or the failure out, for each row."""

import io

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from laketag.pipeline.stages.label_images import rgb_u8

QUALITY = 66
"""Of WebP: about 4 kB for a photo of 168 pixels."""


def draw_thumbnails(batch: pa.Table, *, longest_px: int) -> pa.Table:
    """Each row is an id with ``webp``, a picture whose longer side is bounded in pixels, or with its failure."""
    failures = batch["failure"].to_pylist()
    pictures = [
        draw_webp(rgb_u8(batch, row), longest_px) if failure is None else None
        for row, failure in enumerate(failures)
    ]
    small = batch.select(["image_id", "failure", "failure_detail"])
    return small.append_column("webp", pa.array(pictures, pa.binary()))


def draw_webp(rgb: npt.NDArray[np.uint8], longest_px: int) -> bytes:
    """The picture (height × width × 3) as WebP, shrunk if its longer side has more pixels."""
    picture = Image.fromarray(rgb)
    picture.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    picture.save(sink, "WEBP", quality=QUALITY, method=4)
    return sink.getvalue()
