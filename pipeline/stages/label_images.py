"""The GPU stage: decoded images in, label rows out."""

import math
import pickle
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from laketag.pipeline.calibration.calibration import Calibration
from laketag.pipeline.errors import InputError, LaketagError
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.lake.paths import KeptTable, Lake
from laketag.pipeline.stages.death_watch import DeathWatch, Stage, with_failure, work_through
from laketag.pipeline.stages.kept_rows import kept_arrow_schema, kept_columns
from laketag.pipeline.stages.loading import noted_load, try_to_load
from laketag.pipeline.stages.stage_times import WORK_COLUMNS, name_actor

if TYPE_CHECKING:  # the driver imports this stage, and does without torch
    from laketag.pipeline.classifier.classifier import Classifier
    from laketag.pipeline.classifier.methods import ImageLabel
    from laketag.pipeline.classifier.spec import ClassifierSpec

CONTROL_RGB_U8 = np.full((64, 64, 3), 128, np.uint8)


class LabelImages:
    """Actor: decoded images in, one row of schemas.Labels out for each, in the same order.

    Each row also carries on what the stages before have noted (laketag.pipeline.stages.stage_times), with the seconds of the
    classifier and this process, and what is kept beside the label. An image that has failed keeps its failure.
    """

    def __init__(
        self,
        *,
        lake: Lake,
        run_id: str,
        pickled_spec: bytes,
        device: str,
        threads: int,
        watch: DeathWatch | None = None,
        calibration: Calibration | None = None,
        keep: Sequence[KeptTable] = (),
    ) -> None:
        """``pickled_spec`` is a ClassifierSpec, pickled because the driver cannot unpickle it without torch."""
        self._run_id, self._watch, self._keep = run_id, watch, keep
        self._calibration = calibration

        def load() -> "Classifier":
            with noted_load(watch.notes) if watch else nullcontext():
                classifier = load_classifier(lake, pickled_spec, device, threads)
            if calibration is not None:
                check_classes(classifier, calibration)
            return classifier

        self._classifier = try_to_load(load, device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Label the rows that have pixels."""
        if isinstance(self._classifier, LaketagError):
            raise self._classifier
        stage = Stage(
            "labelled", self._label, self._give_up, partial(self._classifier.label, [CONTROL_RGB_U8], [""])
        )
        return pa.concat_tables(work_through(batch, stage, self._watch))

    def _label(self, batch: pa.Table) -> Iterator[pa.Table]:
        assert not isinstance(self._classifier, LaketagError)
        stamp = {"run_id": self._run_id, "labelled_at": datetime.now(UTC), "actor": name_actor()}
        rows = [row | stamp for row in label_rows(batch, self._classifier, self._calibration, self._keep)]
        schema = pa.schema([*kept_arrow_schema(self._keep), *WORK_COLUMNS.items()])
        yield pa.Table.from_pylist(rows, schema)

    def _give_up(self, batch: pa.Table, failure: ImageFailure) -> pa.Table:
        return pa.concat_tables(self._label(with_failure(batch, failure)))


def load_classifier(lake: Lake, pickled_spec: bytes, device: str, threads: int) -> "Classifier":
    """The classifier of the spec with the texts of its description set, on the device."""
    from laketag.pipeline.stages.class_texts import load_class_texts

    spec: ClassifierSpec = pickle.loads(pickled_spec)
    texts = load_class_texts(lake, spec.descriptions.name, spec.descriptions.version)
    return spec.load(texts, device=device, threads=threads)


def check_classes(classifier: "Classifier", calibration: Calibration) -> None:
    """An InputError if the calibration has other classes, or in another order."""
    if classifier.class_names != calibration.class_names:
        raise InputError(
            f"calibration {calibration.content_hash} is of other classes than the description set; calibrate again"
        )


def label_rows(
    batch: pa.Table,
    classifier: "Classifier",
    calibration: Calibration | None = None,
    keep: Sequence[KeptTable] = (),
) -> list[dict[str, Any]]:
    """The batch without its pixels; a row without a failure also has the columns that describe its label, and the kept ones.

    An image whose score is not a finite number fails as ``not_finite``. ``label_s`` is its share of the classifier's seconds.
    """
    rows: list[dict[str, Any]] = batch.drop_columns(["rgb_u8"]).to_pylist()
    decoded = [number for number, row in enumerate(rows) if row["failure"] is None]
    if decoded:
        images = [rgb_u8(batch, number) for number in decoded]
        began_s = time.perf_counter()
        labels = classifier.label(images, [rows[number]["image_id"] for number in decoded])
        share_s = (time.perf_counter() - began_s) / len(decoded)
        sound = []
        for number, label in zip(decoded, labels, strict=True):
            rows[number]["label_s"] = share_s
            if label.is_finite:
                rows[number] |= _label_columns(label, rows[number]) | kept_columns(label, keep)
                sound.append((rows[number], label))
            else:
                detail = "the model's result is not a finite number, but NaN or infinite"
                rows[number] |= {"failure": "not_finite", "failure_detail": detail}
        if calibration is not None and sound:
            _decide(sound, calibration)
    return rows


def _decide(sound: list[tuple[dict[str, Any], "ImageLabel"]], calibration: Calibration) -> None:
    """The rows have the columns that the calibration gives their labels."""
    scores = np.stack([label.scores for _, label in sound])
    probabilities = np.stack([label.probabilities for _, label in sound])
    tags = [[name for name, _ in label.tags] for _, label in sound]
    for (row, _), decided in zip(sound, calibration.decide(scores, probabilities, tags), strict=True):
        row.update(decided)


def rgb_u8(batch: pa.Table, row: int) -> npt.NDArray[np.uint8]:
    """The row's image, uint8 RGB, height × width × 3, as a view of the batch's memory."""
    height, width = batch["bounded_height_px"][row].as_py(), batch["bounded_width_px"][row].as_py()
    return np.frombuffer(batch["rgb_u8"][row].as_buffer(), np.uint8).reshape(height, width, 3)


def _label_columns(label: "ImageLabel", row: dict[str, Any]) -> dict[str, Any]:
    """The columns of schemas.Labels that describe a label.

    The classifier saw the bounded image; the evidence box is in pixels of the whole one, rounded outward.
    """
    across, down = row["width_px"] / row["bounded_width_px"], row["height_px"] / row["bounded_height_px"]
    x0, y0, x1, y1 = label.evidence_box_xyxy_px
    return {
        "label": label.label,
        "probability": label.probability,
        "score": label.score,
        "margin": label.margin,
        "tags": [{"label": name, "probability": probability} for name, probability in label.tags],
        "evidence": {
            "x0_px": int(x0 * across),
            "y0_px": int(y0 * down),
            "x1_px": min(row["width_px"], math.ceil(x1 * across)),
            "y1_px": min(row["height_px"], math.ceil(y1 * down)),
            "description": label.evidence_description,
        },
        "tier": label.tier,
        "crops": label.crops,
    }
