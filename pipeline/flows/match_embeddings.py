"""A run from kept embeddings: plan → read embeddings → label → write, with the same stages after reading as a run from pixels."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from laketag.pipeline.cluster.actor_shape import FETCH_CPUS
from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.cluster.wait_notes import noting_waits
from laketag.pipeline.config import MethodSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.decoded_images import TRIES, WHOLE_BLOCKS
from laketag.pipeline.flows.kept_encoders import embedding_files, find_fitting, stored_format
from laketag.pipeline.flows.kept_work import Located, kept_files, locate
from laketag.pipeline.flows.label_attempts import Labelling
from laketag.pipeline.flows.label_chain import label_and_write
from laketag.pipeline.lake.description_versions import list_versions
from laketag.pipeline.lake.label_files import LabelFile
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_runs, scan_labels
from laketag.pipeline.lake.tables import scan_table
from laketag.pipeline.stages.death_watch import DeathWatch
from laketag.pipeline.stages.kept_embeddings import read_in_parts
from laketag.pipeline.stages.relabel_kept import relabel_kept
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Embeddings

if TYPE_CHECKING:
    from ray.data import Dataset

COMPARED_FILES = 4
"""Of how many files the agreement is measured, of up to some hundred images each."""
COMPARED_IMAGES = 1000


def locate_planned(labelling: Labelling, planned: pl.DataFrame) -> Located:
    """Where the embeddings of the planned rows are; an InputError if some are gone."""
    lake, run, classifier = labelling.lake, labelling.run, labelling.classifier
    files = kept_files(classifier, run.collection, read_runs(lake))
    located = locate(lake, files, planned)
    if lacking := planned.height - located.rows.height:
        raise InputError(
            f"run {run.run_id}: {lacking:,} of its planned images have no kept embeddings any more; see what is gone "
            "with laketag verify, and label without --from-embeddings"
        )
    return located


def read_kept(lake: Lake, located: Located, resources: Resources, watch: DeathWatch) -> "Dataset":
    """Rows in, the same rows with their embeddings (2 kB for 512 numbers of a view in fp32) out; a block for each file."""
    import ray.data
    from ray.data import TaskPoolStrategy

    blocks = [part.to_arrow() for part in located.rows.partition_by("file", maintain_order=True)]
    reading: Dataset = ray.data.from_blocks(blocks).map_batches(
        partial(noting_waits, stage=partial(read_in_parts, lake=lake), notes=watch.notes),
        **WHOLE_BLOCKS,
        compute=TaskPoolStrategy(size=resources.fetch_slots),
        num_cpus=FETCH_CPUS,
        max_retries=TRIES,
    )
    return reading


class Matching:
    """Makes the chain of a run from kept embeddings: planned rows in, receipts of staged parts out, as label_chain.

    Before the first one, how much labels differ by rounded embeddings is measured and printed.
    """

    def __init__(self) -> None:
        self._has_compared = False

    def __call__(
        self, labelling: Labelling, unlabelled: pl.DataFrame, resources: Resources, watch: DeathWatch
    ) -> "Dataset":
        """The chain over these rows."""
        located = locate_planned(labelling, unlabelled)
        if not self._has_compared:
            self._has_compared = True
            if compared := compare_labels(labelling, resources, watch):
                labelling.screen.say(str(compared))
        read = read_kept(labelling.lake, located, resources, watch)
        return label_and_write(labelling, read, resources, watch, located.logit_scale)


@dataclass(frozen=True)
class Compared:
    """How many labels of a run are the same when they are made again from the embeddings that it has kept."""

    run_id: str
    stored_as: str
    images: int
    same: int

    def __str__(self) -> str:
        return (
            f"from embeddings in {self.stored_as}, {self.same:,} of {self.images:,} images of run {self.run_id} have the label "
            f"that the full run gave them ({self.same / self.images:.1%})"
        )


def compare_labels(labelling: Labelling, resources: Resources, watch: DeathWatch) -> Compared | None:
    """The last run that has kept rounded embeddings is compared; None of fp32, and if its descriptions or images are gone.

    Images of a few of its files are labelled again, with its own descriptions and settings.
    """
    stored_as = stored_format(labelling.classifier)
    lake, collection = labelling.lake, labelling.run.collection
    fitting = find_fitting(labelling.classifier, collection, read_runs(lake))
    runs = [one for one in fitting.iter_slices(1) if embedding_files(one, stored_as)]
    if stored_as == "fp32" or not runs:
        return None
    run = runs[-1].row(0, named=True)
    described = run["description_set"], run["description_version"]
    files = embedding_files(runs[-1], stored_as)[-COMPARED_FILES:]
    labels = _read_labels(lake, runs[-1], files)
    if described[1] not in list_versions(lake, described[0]) or labels.is_empty():
        return None
    method = MethodSettings(**json.loads(run["settings"])["method"])
    relabel = partial(relabel_kept, lake=lake, described=described, method=method)
    read = read_kept(lake, locate(lake, files, labels), resources, watch)
    with open_blocks(read.map_batches(relabel, **WHOLE_BLOCKS, num_cpus=1, max_retries=TRIES)) as blocks:
        relabelled = pl.concat([pl.DataFrame(block) for block in blocks]).join(labels, on="image_id")
    same = relabelled.filter(pl.col("relabelled") == pl.col("label")).height
    return Compared(run["run_id"], stored_as, relabelled.height, same)


def _read_labels(lake: Lake, run: pl.DataFrame, files: Sequence[LabelFile]) -> pl.DataFrame:
    """The first COMPARED_IMAGES images in the files that are of the run: image_id, etag and the label that the run gave them."""
    is_own = pl.col("run_id") == run["run_id"].item()

    def read() -> pl.DataFrame:
        kept = scan_table([f"{lake.root}/{file.path}" for file in files], Embeddings, lake.storage)
        ids = kept.filter(is_own).select("image_id").head(COMPARED_IMAGES).collect()
        labels = scan_labels(lake, run).filter(is_own, pl.col("image_id").is_in(ids["image_id"].implode()))
        return labels.select("image_id", "etag", "label").collect()

    return through_outages(lake.root, lake.storage, read)
