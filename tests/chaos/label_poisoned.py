"""Labels a folder whose images kill their process or have no finite score: LAKE IMAGES.

Prints what a run prints, and the published rows as JSON. The folder ``crashing`` must be the first of PYTHONPATH: it has a
decoder that dies. Names of images say what the classifier does with them. Ray is one of this process's own.
"""

import json
import os
import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.methods import ImageLabel
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.config import RunSettings, Settings, StorageSettings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.flows.index_images import IndexRequest, index_images
from laketag.pipeline.flows.label_attempts import Labelling
from laketag.pipeline.flows.label_images import finish_run
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_work, plan_run
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.runs import read_runs, scan_labels
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.screen import Screen
from tests.lake.pets import write_pets


@dataclass(frozen=True)
class MarkedClassifier:
    """A classifier without a model, whose spec is itself. It gets names of images as their ids' places in ``names``."""

    descriptions: EmbeddedSet
    names: dict[str, str]
    dies_when_loaded: bool = False

    def load(self, _texts: ClassTexts, *, device: str, threads: int) -> "MarkedClassifier":
        assert (device, threads > 0) == ("cpu", True)
        if self.dies_when_loaded:
            os._exit(1)
        return self

    def label(self, images: Sequence[np.ndarray], image_ids: Sequence[str]) -> list[ImageLabel]:
        assert len(images) == len(image_ids)
        return [self._label(self.names.get(image_id, "the control")) for image_id in image_ids]

    def _label(self, name: str) -> ImageLabel:
        if "dies-when-labelled" in name:
            os._exit(1)
        score = float("nan") if "has-no-score" in name else 1.0
        return ImageLabel((("dog", 1.0),), score, 1.0, (0, 0, 1, 1), "It barks.")


def main(root: str, folder: str) -> None:
    lake = open_lake(root, StorageSettings())
    settings = Settings(run=RunSettings(rows_per_block=8, batch_size=4))
    index_images(lake, IndexRequest(source=Source(url=folder), collection="c"))
    pets = write_pets(lake, "a" * 16, "s")
    request = LabelRequest(collection="c", description_set="s")
    work = find_work(lake, request, "f" * 16, settings, OtherRuns(read_runs(lake)))
    names = dict(work.rows.select("image_id", "uri").iter_rows())
    classifier = ChosenClassifier(
        fingerprint="f" * 16,
        description_set="s",
        description_version=pets.version,
        method="clip",
        models={},
        decided_by={"decode_revision": 0, "label_revision": 0},
        pickled_spec=pickle.dumps(MarkedClassifier(pets, names)),
    )
    dying = replace(
        classifier, pickled_spec=pickle.dumps(MarkedClassifier(pets, names, dies_when_loaded=True))
    )
    console = Console(file=sys.stdout, width=200)
    with ray_runtime(), hold_lease(lake, "c") as lease:
        labelling = Labelling(
            lake=lake,
            run=plan_run(lake, work, classifier, settings),
            classifier=classifier,
            settings=settings,
            lease=lease,
            screen=Screen(console, verbose=True),
        )
        try:
            finish_run(replace(labelling, classifier=dying), work.rows, Progress(work.rows.height, console))
        except LaketagError as error:
            console.print(f"exit code {error.exit_code}: {error}")
        finish_run(labelling, work.rows, Progress(work.rows.height, console))
    rows = scan_labels(lake, read_runs(lake)).with_columns(name=pl.col("uri").str.split("/").list.last())
    print(json.dumps(rows.select("name", "label", "failure", "failure_detail").collect().to_dicts()))


if __name__ == "__main__":  # workers import it by its name
    from tests.chaos import label_poisoned

    label_poisoned.main(*sys.argv[1:])
