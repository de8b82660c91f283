"""read → fetch → decode → score: the scores of all classes for a sample of images, on the driver."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Float

from laketag.pipeline.calibration.shares import ShareRule
from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.cluster.execution import bound_waiting, open_blocks, retries_allowed
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.ray_wait import say_ray_starts
from laketag.pipeline.cluster.recovery import Recovery
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.cluster.work_stop import WorkStop
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.decoded_images import TRIES, Reading, decoded_images
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.score_images import ScoreImages
from laketag.schemas import LABELLED

if TYPE_CHECKING:
    from ray.data import Dataset


@dataclass(frozen=True)
class Scoring:
    """What scores images."""

    lake: Lake
    classifier: ChosenClassifier
    settings: Settings
    screen: Screen


@dataclass
class ScoredImages:
    """The scores of images as they come in, and why others have none."""

    scores: dict[str, Float[np.ndarray, "classes"]] = field(default_factory=dict)
    probabilities: dict[str, Float[np.ndarray, "classes"]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    rule: ShareRule | None = None

    def add(self, row: dict[str, Any]) -> None:
        """A row of laketag.pipeline.stages.score_images.SCORED is among them."""
        image_id = row["image_id"]
        if row["failure"] is not None:
            self.failures[image_id] = row["failure"]
            return
        self.scores[image_id] = np.array(row["scores"], np.float32)
        self.probabilities[image_id] = np.array(row["probabilities"])
        self.rule = ShareRule(**row["rule"])


def score_images(scoring: Scoring, every: pl.DataFrame, known: ScoredImages) -> ScoredImages:
    """Each image (image_id, uri, etag, size_bytes) has its scores or a failure; an InputError if all have failed.

    Those that are known already are not read. If Ray loses workers or nodes, the chain begins again with the images that are
    left.
    """
    found = known

    def find_rest() -> pl.DataFrame:
        done = [*found.scores, *found.failures]
        return every.filter(~pl.col("image_id").is_in(done))

    images = find_rest()
    if images.height:
        _score_on_ray(scoring, images, found, find_rest)
    if not found.scores:
        reasons = pl.Series(list(found.failures.values())).value_counts(sort=True).rows()
        named = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
        raise InputError(f"none of the {every.height:,} images could be scored ({named}); make them readable")
    return found


def _score_on_ray(
    scoring: Scoring, images: pl.DataFrame, found: ScoredImages, find_rest: Callable[[], pl.DataFrame]
) -> None:
    screen = scoring.screen
    progress = Progress(images.height, screen.console, "calibration")
    say_ray_starts(screen)
    with ray_runtime() as runtime:
        screen.detail(f"{runtime}; Ray's own log: {runtime.log_file}")

        def attempt(rows: pl.DataFrame, resources: Resources) -> None:
            progress.begin(images.height - rows.height)
            with retries_allowed():
                chain = score_chain(scoring, rows, resources)
            with progress, open_blocks(chain, WorkStop()) as blocks:
                for block in blocks:
                    for row in block.to_pylist():
                        found.add(row)
                        progress.add({row["failure"] or LABELLED: 1})

        Recovery(runtime, scoring.settings.run, screen).run(images, attempt, find_rest)


def score_chain(scoring: Scoring, images: pl.DataFrame, resources: Resources) -> "Dataset":
    """Images in, rows of SCORED out, as one chain of Ray Data calls."""
    from ray.data import ActorPoolStrategy

    settings = scoring.settings
    chain: Dataset = (
        # read → fetch → decode: as many rows out as in, with one bounded RGB image (about 1 MB) or a failure
        decoded_images(Reading(lake=scoring.lake, settings=settings), images, resources)
        # score: as many rows out as in, 12 bytes a class; an actor holds a GPU and the models
        .map_batches(
            ScoreImages,
            fn_constructor_kwargs={
                "lake": scoring.lake,
                "pickled_spec": scoring.classifier.pickled_spec,
                "device": resources.device,
                "threads": resources.threads_per_actor,
            },
            batch_format="pyarrow",
            batch_size=resources.batch_size,
            compute=ActorPoolStrategy(
                min_size=resources.actors,
                max_size=resources.max_actors,
                initial_size=resources.initial_actors,
            ),
            num_cpus=resources.cpus_per_actor,
            num_gpus=resources.gpus_per_actor,
            memory=resources.memory_per_actor_bytes or None,
            max_restarts=TRIES,
            max_task_retries=TRIES,
        )
    )
    chain.set_name("calibration")
    bound_waiting(chain.context, resources, settings.run, WorkStop())
    return chain
