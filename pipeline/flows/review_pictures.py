"""One picture for a browser, read and decoded as labelling does it."""

import io
from typing import Any

import polars as pl
from PIL import Image

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.flows.decoded_images import reads_local_images
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.stages.decode_images import decode_images
from laketag.pipeline.stages.fetch_images import fetch_images

QUALITY = 90


class NoPictureError(Exception):
    """The picture cannot be shown; the message says why."""


def make_picture(lake: Lake, row: dict[str, Any], settings: Settings) -> bytes:
    """The image (of a row with image_id, uri and etag) in that version as a JPEG; a NoPictureError if it cannot be read."""
    local_images = reads_local_images(lake, settings)
    fetch = settings.fetch.model_copy(update={"local_images": local_images})
    at_once = settings.source_storage.model_copy(update={"max_outage_s": 0.0})  # a person waits
    columns = {name: [row[name]] for name in ("image_id", "uri", "etag")}
    batch = pl.DataFrame(columns).to_arrow(compat_level=pl.CompatLevel.oldest())
    try:
        (found,) = decode_images(
            fetch_images(batch, fetch=fetch, storage=at_once), decode=settings.decode
        ).to_pylist()
    except LaketagError as error:
        raise NoPictureError(str(error)) from error
    if found["failure"] is not None:
        raise NoPictureError(f"{found['failure']}: {found['failure_detail']}")
    size = found["bounded_width_px"], found["bounded_height_px"]
    sink = io.BytesIO()
    Image.frombytes("RGB", size, found["rgb_u8"]).save(sink, "JPEG", quality=QUALITY)
    return sink.getvalue()
