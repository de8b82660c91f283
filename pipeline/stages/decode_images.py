"""Stage: encoded bytes in, one bounded RGB image or a failure out, for each row."""

import io
from collections.abc import Iterator

import pyarrow as pa
from PIL import Image

from laketag.pipeline.config import DecodeSettings
from laketag.pipeline.images.decode import Decoded
from laketag.pipeline.images.decode import decode as decode_image
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.stages.death_watch import DeathWatch, Stage, with_failure, work_through
from laketag.pipeline.stages.stage_times import timed

SIZES = ("bounded_width_px", "bounded_height_px", "width_px", "height_px")

PART_ROWS = 8
"""Images that are decoded before Ray gets them: their pixels are in memory twice while Ray takes them."""


def decode_in_parts(
    batch: pa.Table, *, decode: DecodeSettings, watch: DeathWatch | None = None
) -> Iterator[pa.Table]:
    """As decode_images, in parts one after the other; rows also have ``decode_s`` (laketag.pipeline.stages.stage_times)."""

    def work(rows: pa.Table) -> Iterator[pa.Table]:
        for start in range(0, max(1, rows.num_rows), PART_ROWS):
            yield decode_images(rows.slice(start, PART_ROWS), decode=decode)

    def give_up(rows: pa.Table, failure: ImageFailure) -> pa.Table:
        return decode_images(with_failure(rows, failure), decode=decode)

    def control() -> None:
        sink = io.BytesIO()
        Image.new("RGB", (64, 64)).save(sink, "PNG")
        decode_image(sink.getvalue(), decode)

    stage = Stage("decoded", work, give_up, control)
    yield from timed(work_through(batch, stage, watch), "decode_s")


def decode_images(batch: pa.Table, *, decode: DecodeSettings) -> pa.Table:
    """Each row has ``rgb_u8`` (height x width x 3, row by row) and its sizes in place of ``data``, or a failure."""
    reasons, details = batch["failure"].to_pylist(), batch["failure_detail"].to_pylist()
    images: list[Decoded | None] = []
    for row, data in enumerate(batch["data"]):
        image = None
        if reasons[row] is None:
            try:
                image = decode_image(memoryview(data.as_buffer()), decode)
            except ImageFailure as failure:
                reasons[row], details[row] = failure.reason, failure.detail
        images.append(image)
    table = batch.drop_columns(["data", "failure", "failure_detail"])
    table = table.append_column("failure", pa.array(reasons, pa.string()))
    table = table.append_column("failure_detail", pa.array(details, pa.string()))
    pixels = pa.chunked_array([_pixels(image) for image in images], pa.large_binary())
    table = table.append_column("rgb_u8", pixels)
    sizes = [_sizes(image) for image in images]
    for number, name in enumerate(SIZES):
        table = table.append_column(name, pa.array([size[number] for size in sizes], pa.int32()))
    return table


def _pixels(image: Decoded | None) -> pa.Array:
    """The image as an array of its own, around the memory it was decoded into: a chunk needs no copy."""
    if image is None:
        return pa.nulls(1, pa.large_binary())
    data = pa.py_buffer(image.rgb_u8)
    offsets = pa.array([0, data.size], pa.int64()).buffers()[1]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, offsets, data])


def _sizes(image: Decoded | None) -> tuple[int | None, ...]:
    if image is None:
        return (None,) * len(SIZES)
    height, width, _ = image.rgb_u8.shape
    return width, height, image.width_px, image.height_px
