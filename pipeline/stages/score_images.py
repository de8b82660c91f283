"""The GPU stage of a calibration: decoded images in, the scores of all classes out."""

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from laketag.pipeline.errors import LaketagError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.stages.label_images import load_classifier, rgb_u8
from laketag.pipeline.stages.loading import try_to_load

if TYPE_CHECKING:  # the driver imports this stage, and does without torch
    from laketag.pipeline.classifier.classifier import Classifier

SCORED = pa.schema(
    {
        "image_id": pa.string(),
        "failure": pa.string(),
        "scores": pa.list_(pa.float32()),
        "probabilities": pa.list_(pa.float64()),
        "rule": pa.struct({"kind": pa.string(), "exponent": pa.float64(), "views": pa.int64()}),
    }
)
"""``scores`` and ``probabilities`` are in the order of the description set's classes; null of a failed image."""


class ScoreImages:
    """Actor: rows with decoded images in, as many rows of SCORED out; the classifier is that of laketag label."""

    def __init__(self, *, lake: Lake, pickled_spec: bytes, device: str, threads: int) -> None:
        """``pickled_spec`` is a ClassifierSpec."""
        self._classifier = try_to_load(partial(load_classifier, lake, pickled_spec, device, threads), device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Score the rows that have pixels; those that failed keep their failure."""
        if isinstance(self._classifier, LaketagError):
            raise self._classifier
        return pa.Table.from_pylist(score_rows(batch, self._classifier), SCORED)


def score_rows(batch: pa.Table, classifier: "Classifier") -> list[dict[str, Any]]:
    """Rows of SCORED; an image whose score is not a finite number fails as ``not_finite``."""
    rows: list[dict[str, Any]] = batch.select(["image_id", "failure"]).to_pylist()
    decoded = [number for number, row in enumerate(rows) if row["failure"] is None]
    if not decoded:
        return rows
    images = [rgb_u8(batch, number) for number in decoded]
    labels = classifier.label(images, [rows[number]["image_id"] for number in decoded])
    for number, label in zip(decoded, labels, strict=True):
        if label.is_finite:
            rows[number] |= {
                "scores": label.scores.tolist(),
                "probabilities": label.probabilities.tolist(),
                "rule": vars(classifier.share_rule),
            }
        else:
            rows[number]["failure"] = "not_finite"
    return rows
