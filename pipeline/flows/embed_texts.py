"""Texts in, their embeddings out: taken from the lake, or computed on Ray by the text tower."""

import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from laketag.pipeline.cluster.execution import NO_TIMEOUT, open_blocks, retries_allowed, stop_at_deadline
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.ray_wait import say_ray_starts
from laketag.pipeline.cluster.resources import Resources, decide_resources
from laketag.pipeline.cluster.work_notes import WorkNotes
from laketag.pipeline.cluster.work_stop import WorkStop, WorkStoppedError
from laketag.pipeline.config import Settings
from laketag.pipeline.lake.embedded_texts import find_embedded_texts, stage_embedded_texts
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.models.choose_backbone import ChosenBackbone
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.embed_descriptions import EmbedDescriptions
from laketag.schemas import LABELLED

if TYPE_CHECKING:
    from ray.data import Dataset

TRIES = 5
"""How often Ray starts an actor that died again, and gives its texts to it; Ray Data's default is unlimited."""
STAGE_EVERY_S = 10.0
"""A killed call loses at most the texts of this time; a shorter one stages nothing."""


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """With what texts are embedded, and until when."""

    lake: Lake
    backbone: ChosenBackbone
    settings: Settings
    screen: Screen
    stop: WorkStop = field(default_factory=WorkStop)


def embed_texts(rows: pl.DataFrame, how: Embedding) -> tuple[pl.DataFrame, int]:
    """The rows with ``tokens``, ``truncated`` and ``embedding``, in the same order; how many texts were embedded.

    Rows have class_name, position, text and drop_reason; what is dropped may have no embedding. What the same text tower
    has made of a text, for any set of this lake or in a call that was killed, is taken from the lake. Once the stop is due,
    what is embedded is staged, for the next call: WorkStoppedError.
    """
    known = find_embedded_texts(how.lake, rows, how.backbone.text_tower_sha256)
    numbered = rows.with_row_index("row")
    found = numbered.join(known, on="text", how="left", maintain_order="left")
    is_kept = pl.col("drop_reason").is_null()
    is_new = pl.col("tokens").is_null() | (is_kept & pl.col("embedding").is_null())
    new = found.filter(is_new).select(numbered.columns)
    if new.is_empty():
        return found.drop("row"), 0
    made = _embed_on_ray(new, how)
    both = pl.concat([found.filter(~is_new), made.select(found.columns)], how="vertical_relaxed")
    return both.sort("row").drop("row"), made.filter(is_kept).height


def _embed_on_ray(numbered: pl.DataFrame, how: Embedding) -> pl.DataFrame:
    """The rows with ``tokens``, ``truncated`` and ``embedding``; blocks of them come back in any order."""
    settings, screen = how.settings, how.screen
    blocks = blocks_of_equal_length(numbered, settings.descriptions.batch_size)
    say_ray_starts(screen)
    with ray_runtime() as runtime:
        resources = decide_resources(runtime, settings.run, numbered.height)
        screen.detail(f"{runtime}; Ray's own log: {runtime.log_file}")
        screen.detail(f"{resources.actors} actor(s) on {resources.device}")
        screen.wait(f"loading the model and embedding {numbered.height:,} texts")
        progress = Progress(numbered.height, screen.console, unit="texts")
        progress.begin(0)  # and not entered: a line every ten seconds, none for what takes less
        notes = WorkNotes(f"describe-{secrets.token_hex(8)}")
        with retries_allowed():
            chain = embed_chain(blocks, how.backbone, resources, notes)
            stop_at_deadline(chain.context, how.stop)
        made: list[pl.DataFrame] = []
        staged, staged_at = 0, time.monotonic()

        def stage_the_rest() -> None:
            nonlocal staged, staged_at
            if rest := made[staged:]:
                stage_embedded_texts(how.lake, pl.concat(rest).drop("row"), how.backbone.text_tower_sha256)
            staged, staged_at = len(made), time.monotonic()

        try:
            with open_blocks(chain) as embedded:
                for block in embedded:
                    made.append(pl.DataFrame(block))
                    progress.add({LABELLED: made[-1].height})
                    if time.monotonic() - staged_at >= STAGE_EVERY_S:
                        stage_the_rest()
        except WorkStoppedError:
            stage_the_rest()
            raise
        finally:
            notes.clear()
        return pl.concat(made)


def blocks_of_equal_length(rows: pl.DataFrame, batch_size: int) -> list[pl.DataFrame]:
    """Blocks of texts that are about as long as each other, so that little of them is padding.

    The blocks are shuffled, so that the rate of the first ones tells how long the others take.
    """
    blocks = list(rows.sort(pl.col("text").str.len_chars(), maintain_order=True).iter_slices(batch_size))
    random.Random(0).shuffle(blocks)  # no secret
    return blocks


def embed_chain(
    blocks: Sequence[pl.DataFrame], backbone: ChosenBackbone, resources: Resources, notes: WorkNotes
) -> "Dataset":
    """Descriptions in, the same with their embeddings out, as one chain of Ray Data calls."""
    import ray.data
    from ray.data import ActorPoolStrategy

    chain: Dataset = (
        # read: batch_size texts a block
        ray.data.from_blocks([block.to_arrow() for block in blocks])
        # embed: a block in, the same rows with embeddings (4 bytes × dim each) out; the actor keeps the text tower
        .map_batches(
            EmbedDescriptions,
            fn_constructor_args=(backbone.pickled_spec,),
            fn_constructor_kwargs={
                "device": resources.device,
                "threads": resources.threads_per_actor,
                "notes": notes,
            },
            batch_format="pyarrow",
            batch_size=None,
            compute=ActorPoolStrategy(size=min(resources.actors, len(blocks))),
            num_cpus=resources.cpus_per_actor,
            num_gpus=resources.gpus_per_actor,
            max_restarts=TRIES,  # an actor that dies of the same work twice says so when it is started again
            max_task_retries=TRIES,
        )
    )
    if resources.autoscaling:  # new nodes may take any time
        chain.context.execution_no_progress_timeout_s = NO_TIMEOUT
    return chain
