"""The stages of a labelling run, as one chain of Ray Data calls."""

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from laketag.pipeline.cluster.actor_shape import WRITE_CPUS
from laketag.pipeline.cluster.execution import bound_waiting
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.cluster.wait_notes import noting_waits, show_waits
from laketag.pipeline.flows.decoded_images import TRIES, WHOLE_BLOCKS, Reading, decoded_images
from laketag.pipeline.flows.label_attempts import Labelling
from laketag.pipeline.lake.kept_tables import kept_tables
from laketag.pipeline.lake.run_work import Start
from laketag.pipeline.stages.death_watch import DeathWatch
from laketag.pipeline.stages.label_images import LabelImages
from laketag.pipeline.stages.write_labels import write_labels

if TYPE_CHECKING:
    from ray.data import Dataset


def label_chain(
    labelling: Labelling, unlabelled: pl.DataFrame, resources: Resources, watch: DeathWatch
) -> "Dataset":
    """Planned rows in, receipts of staged parts out, as one chain of Ray Data calls.

    A block holds ``rows_per_block`` images from the plan to its staged part, so that a lost worker loses little.
    Stages ask for different numbers of CPUs, which also keeps Ray from fusing them.
    """
    reading = Reading(
        lake=labelling.lake, settings=labelling.settings, witnesses=labelling.witnesses, watch=watch
    )
    # read → fetch → decode: as many rows out as in, with one bounded RGB image (about 1 MB) or a failure
    return label_and_write(labelling, decoded_images(reading, unlabelled, resources), resources, watch)


def label_and_write(
    labelling: Labelling,
    read: "Dataset",
    resources: Resources,
    watch: DeathWatch,
    logit_scale: float | None = None,
) -> "Dataset":
    """Rows with what a classifier looks at in, receipts of staged parts out; with ``logit_scale`` it looks at kept embeddings."""
    from ray.data import ActorPoolStrategy

    lake, run, settings = labelling.lake, labelling.run, labelling.settings
    models = {
        "lake": lake,
        "run_id": run.run_id,
        "pickled_spec": labelling.classifier.pickled_spec,
        "device": resources.device,
        "threads": resources.threads_per_actor,
        "watch": watch,
        "calibration": labelling.calibration,
        "keep": run.keep,
        "logit_scale": logit_scale,
    }
    actors = ActorPoolStrategy(
        min_size=resources.actors, max_size=resources.max_actors, initial_size=resources.initial_actors
    )
    start = Start(labelling.began_at, resources.fetch_slots, resources.decode_slots)
    write = partial(
        write_labels,
        lake=lake,
        run_id=run.run_id,
        settings=settings,
        start=start,
        keep=kept_tables(run.keep),
    )
    chain: Dataset = (
        # label: as many rows out as in, 500 bytes each and what is kept; an actor holds a GPU and models, crops never leave it.
        # Matching takes milliseconds an image, so it gets whole blocks
        read.map_batches(
            LabelImages,
            fn_constructor_kwargs=models,
            batch_format="pyarrow",
            batch_size=resources.batch_size if logit_scale is None else None,
            compute=actors,
            num_cpus=resources.cpus_per_actor,
            num_gpus=resources.gpus_per_actor,
            memory=resources.memory_per_actor_bytes or None,
            max_restarts=-1,  # nodes come and go for as long as the run lasts; LOAD_DEATHS bounds those while it starts
            max_task_retries=TRIES,
        )
        # write: a block of label rows in, a row for each outcome out (the receipt of the staged part); milliseconds
        .map_batches(
            partial(noting_waits, stage=write, notes=watch.notes),
            **WHOLE_BLOCKS,
            num_cpus=WRITE_CPUS,
            max_retries=TRIES,
        )
    )
    chain.set_name(run.collection)  # Ray Data's metrics have it in their tag ``dataset``
    bound_waiting(chain.context, resources, settings.run, labelling.stop)
    show_waits(chain.context, watch.notes, labelling.screen.say)
    return chain
