"""Reading the few images that a report shows: read → fetch → decode, as in every run, then a thumbnail or a story.

On the cluster that RAY_ADDRESS names, because images may be within its reach only; otherwise in this process, by the same
stages: an embedded Ray would start for longer than the few images take.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.ray_address import named_address
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.resources import decide_resources
from laketag.pipeline.flows.decoded_images import (
    TRIES,
    WHOLE_BLOCKS,
    Reading,
    decoded_images,
    reads_local_images,
)
from laketag.pipeline.stages.decode_images import decode_in_parts
from laketag.pipeline.stages.draw_thumbnails import draw_thumbnails
from laketag.pipeline.stages.fetch_images import fetch_in_parts
from laketag.pipeline.stages.tell_stories import TellStories

THUMBNAIL_PX = 168
"""The longer side of a picture in a sheet."""
BATCH_ROWS = 16
NEEDED = ("image_id", "uri", "etag", "size_bytes")


@dataclass(frozen=True)
class Shown:
    """A picture as WebP, or why there is none; and the story of the label, where it was asked for."""

    webp: bytes | None
    failure: str | None
    detail: str | None
    story: str | None = None


def read_thumbnails(reading: Reading, rows: pl.DataFrame) -> dict[str, Shown]:
    """A thumbnail, or why it cannot be read, for each of the rows (NEEDED), by image id."""
    draw = partial(draw_thumbnails, longest_px=THUMBNAIL_PX)
    if named_address() is None:
        return _collect(_work_here(reading, rows, draw))
    with ray_runtime() as runtime:
        resources = decide_resources(runtime, reading.settings.run, rows.height)
        chain = decoded_images(reading, rows.select(NEEDED), resources).map_batches(
            draw, **WHOLE_BLOCKS, num_cpus=1, max_retries=TRIES
        )
        with open_blocks(chain) as blocks:
            return _collect(blocks)


def read_stories(reading: Reading, rows: pl.DataFrame, pickled_spec: bytes) -> dict[str, Shown]:
    """A picture and the story of the label by the classifier of the pickled ClassifierSpec, by image id."""
    model: dict[str, Any] = {"lake": reading.lake, "pickled_spec": pickled_spec}
    if named_address() is None:
        tell = TellStories(**model, device=_own_device(reading.settings.run.device), threads=_own_threads())
        return _collect(_work_here(reading, rows, tell))
    from ray.data import ActorPoolStrategy

    with ray_runtime() as runtime:
        resources = decide_resources(runtime, reading.settings.run, rows.height)
        model |= {"device": resources.device, "threads": resources.threads_per_actor}
        chain = decoded_images(reading, rows.select(NEEDED), resources).map_batches(
            TellStories,
            fn_constructor_kwargs=model,
            batch_format="pyarrow",
            batch_size=resources.batch_size,
            compute=ActorPoolStrategy(size=1),
            num_cpus=resources.cpus_per_actor,
            num_gpus=resources.gpus_per_actor,
            memory=resources.memory_per_actor_bytes or None,
            max_restarts=TRIES,
            max_task_retries=TRIES,
        )
        with open_blocks(chain) as blocks:
            return _collect(blocks)


def _work_here(
    reading: Reading, rows: pl.DataFrame, finish: Callable[[pa.Table], pa.Table]
) -> Iterator[pa.Table]:
    """What becomes of the rows, part by part, in this process."""
    settings = reading.settings
    fetch = settings.fetch.model_copy(update={"local_images": reads_local_images(reading.lake, settings)})
    for part in rows.select(NEEDED).iter_slices(BATCH_ROWS):
        for fetched in fetch_in_parts(part.to_arrow(), fetch=fetch, storage=settings.source_storage):
            for decoded in decode_in_parts(fetched, decode=settings.decode):
                yield finish(decoded)


def _collect(tables: Iterator[pa.Table]) -> dict[str, Shown]:
    shown = {}
    for table in tables:
        for row in table.to_pylist():
            shown[row["image_id"]] = Shown(
                row["webp"], row["failure"], row["failure_detail"], row.get("story")
            )
    return shown


def _own_device(wanted: str) -> str:
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


def _own_threads() -> int:
    import torch

    return torch.get_num_threads()
