"""read → fetch → decode: the beginning of every run over images."""

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from laketag.pipeline.cluster.actor_shape import DECODE_CPUS, FETCH_CPUS
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.cluster.wait_notes import noting_waits
from laketag.pipeline.config import Settings
from laketag.pipeline.images.witnesses import Witnesses
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.stages.death_watch import DeathWatch
from laketag.pipeline.stages.decode_images import decode_in_parts
from laketag.pipeline.stages.fetch_images import fetch_in_parts
from laketag.pipeline.store.schemes import is_remote

if TYPE_CHECKING:
    from ray.data import Dataset

TRIES = 5
"""How often Ray retries a task whose worker died; Ray Data's default is unlimited. After one death a stage works on one image
after another, and leaves out those that kill (stages/death_watch.py). A task that runs twice stages the same file twice."""
WHOLE_BLOCKS: dict[str, Any] = {"batch_format": "pyarrow", "batch_size": None}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How images are read."""

    lake: Lake
    settings: Settings
    witnesses: Witnesses = field(default_factory=Witnesses)
    watch: DeathWatch | None = None


def decoded_images(reading: Reading, rows: pl.DataFrame, resources: Resources) -> "Dataset":
    """Rows of images (image_id, uri, etag, size_bytes and others) in, the same with their pixels or a failure out.

    A block holds ``rows_per_block`` images, so that a lost worker loses little.
    """
    import ray.data  # takes a second, which a call with nothing to do is spared
    from ray.data import TaskPoolStrategy

    settings, watch = reading.settings, reading.watch
    blocks = [part.to_arrow() for part in rows.iter_slices(resources.rows_per_block)]
    local_images = reads_local_images(reading.lake, settings)
    fetch = partial(
        fetch_in_parts,
        fetch=settings.fetch.model_copy(update={"local_images": local_images}),
        storage=settings.source_storage,
        witnesses=reading.witnesses,
        watch=watch,
    )
    chain: Dataset = (
        # read: the rows, 150 bytes each; a block for each task of the next stage
        ray.data.from_blocks(blocks)
        # fetch: as many rows out as in, with encoded bytes or a failure, HELD_BYTES at once; waits for the network
        .map_batches(
            fetch if watch is None else partial(noting_waits, stage=fetch, notes=watch.notes),
            **WHOLE_BLOCKS,
            compute=TaskPoolStrategy(size=resources.fetch_slots),
            num_cpus=FETCH_CPUS,
            max_retries=TRIES,
        )
        # decode: as many rows out as in, with one bounded RGB image (about 1 MB) for the bytes; one thread computes. Batches
        # are those of fetch, because larger ones would hold more bytes than HELD_BYTES
        .map_batches(
            partial(decode_in_parts, decode=settings.decode, watch=watch),
            **WHOLE_BLOCKS,
            compute=TaskPoolStrategy(size=resources.decode_slots),
            num_cpus=DECODE_CPUS,
            max_retries=TRIES,
        )
    )
    return chain


def reads_local_images(lake: Lake, settings: Settings) -> bool:
    """Whether images on this cluster's disks are read without allowed roots; docs/decisions/0029."""
    chosen = settings.fetch.local_images
    return not is_remote(lake.root) if chosen is None else chosen
