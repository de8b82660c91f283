"""The GPU stage: decoded images in, label rows out."""

import pickle
import time
from collections.abc import Iterator
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
from laketag.pipeline.lake.kept_tables import embedding_format
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.stages.death_watch import DeathWatch, Stage, with_failure, work_through
from laketag.pipeline.stages.evidence_boxes import in_upright_image
from laketag.pipeline.stages.kept_embeddings import PACKED, unpack_views
from laketag.pipeline.stages.kept_rows import kept_arrow_schema, kept_columns
from laketag.pipeline.stages.loading import noted_load, try_to_load
from laketag.pipeline.stages.stage_times import WORK_COLUMNS, name_actor

if TYPE_CHECKING:  # the driver imports this stage, and does without torch
    from laketag.pipeline.classifier.class_texts import ClassTexts
    from laketag.pipeline.classifier.classifier import Classifier
    from laketag.pipeline.classifier.methods import ImageLabel
    from laketag.pipeline.classifier.spec import ClassifierSpec
    from laketag.pipeline.classifier.view_matcher import ViewMatcher

LOOKED_AT = ("rgb_u8", *PACKED)
"""Columns that a classifier looks at, and that no label row has."""
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
        keep: str = "",
        logit_scale: float | None = None,
    ) -> None:
        """``pickled_spec`` is a ClassifierSpec, pickled because the driver cannot unpickle it without torch.

        ``keep`` is that of the run. With ``logit_scale``, which was kept with embeddings, images are labelled from these and no
        model is loaded.
        """
        self._run_id, self._watch, self._keep = run_id, watch, keep
        self._calibration = calibration
        self._control: tuple[Any, ...] = ([CONTROL_RGB_U8], [""]) if logit_scale is None else ([],)

        def load() -> "Classifier | ViewMatcher":
            with noted_load(watch.notes) if watch else nullcontext():
                spec, texts = read_spec(lake, pickled_spec)
                classifier: Classifier | ViewMatcher
                if logit_scale is not None:
                    classifier = spec.load_matcher(texts, logit_scale, device, threads)
                else:
                    views = {"keeps_views": True} if embedding_format(keep) else {}
                    classifier = spec.load(texts, device=device, threads=threads, **views)
            if calibration is not None:
                check_classes(classifier, calibration)
            return classifier

        self._classifier = try_to_load(load, device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Label the rows that have pixels or kept embeddings."""
        if isinstance(self._classifier, LaketagError):
            raise self._classifier
        control = partial(self._classifier.label, *self._control)
        stage = Stage("labelled", self._label, self._give_up, control)
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
    spec, texts = read_spec(lake, pickled_spec)
    return spec.load(texts, device=device, threads=threads)


def read_spec(lake: Lake, pickled_spec: bytes) -> "tuple[ClassifierSpec, ClassTexts]":
    """The spec, and the texts of its description set."""
    from laketag.pipeline.stages.class_texts import load_class_texts

    spec: ClassifierSpec = pickle.loads(pickled_spec)
    return spec, load_class_texts(lake, spec.descriptions.name, spec.descriptions.version)


def check_classes(classifier: "Classifier | ViewMatcher", calibration: Calibration) -> None:
    """An InputError if the calibration has other classes, or in another order."""
    if classifier.class_names != calibration.class_names:
        raise InputError(
            f"calibration {calibration.content_hash} is of other classes than the description set; calibrate again"
        )


def label_rows(
    batch: pa.Table,
    classifier: "Classifier | ViewMatcher",
    calibration: Calibration | None = None,
    keep: str = "",
) -> list[dict[str, Any]]:
    """The batch without what the classifier looks at; a row without a failure has the columns of its label, and the kept ones.

    An image whose score is not a finite number fails as ``not_finite``. ``label_s`` is its share of the classifier's seconds.
    """
    payload = [name for name in LOOKED_AT if name in batch.column_names]
    rows: list[dict[str, Any]] = batch.drop_columns(payload).to_pylist()
    decoded = [number for number, row in enumerate(rows) if row["failure"] is None]
    if decoded:
        began_s = time.perf_counter()
        labels = _label_rows(batch, decoded, classifier)
        share_s = (time.perf_counter() - began_s) / len(decoded)
        sound = []
        for number, label in zip(decoded, labels, strict=True):
            rows[number]["label_s"] = share_s
            if label.is_finite:
                rows[number] |= _label_columns(label, rows[number]) | kept_columns(label, rows[number], keep)
                sound.append((rows[number], label))
            else:
                detail = "the model's result is not a finite number, but NaN or infinite"
                rows[number] |= {"failure": "not_finite", "failure_detail": detail}
        if calibration is not None and sound:
            _decide(sound, calibration)
    return rows


def _label_rows(
    batch: pa.Table, numbers: list[int], classifier: "Classifier | ViewMatcher"
) -> "list[ImageLabel]":
    """The labels of these rows."""
    if "rgb_u8" not in batch.column_names:
        kept: ViewMatcher = classifier  # type: ignore[assignment]  # such rows are given to no other
        return kept.label(unpack_views(batch.take(numbers)))
    looking: Classifier = classifier  # type: ignore[assignment]  # same
    ids = batch["image_id"]
    return looking.label(
        [rgb_u8(batch, number) for number in numbers], [ids[number].as_py() for number in numbers]
    )


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
    """The columns of schemas.Labels that describe a label; the classifier saw the bounded image."""
    x0, y0, x1, y1 = in_upright_image(label.evidence_box_xyxy_px, row)
    return {
        "label": label.label,
        "probability": label.probability,
        "score": label.score,
        "margin": label.margin,
        "tags": [{"label": name, "probability": probability} for name, probability in label.tags],
        "evidence": {
            "x0_px": x0,
            "y0_px": y0,
            "x1_px": x1,
            "y1_px": y1,
            "description": label.evidence_description,
        },
        "tier": label.tier,
        "crops": label.crops,
    }
