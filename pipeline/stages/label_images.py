"""The GPU stage: decoded images in, label rows out."""

import pickle
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from laketag.pipeline.errors import LaketagError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.progress.metrics import counter, gauge, histogram

if TYPE_CHECKING:  # the driver names this stage and has no torch
    from laketag.pipeline.classifier.classifier import Classifier
    from laketag.pipeline.classifier.methods import ImageLabel
    from laketag.pipeline.classifier.spec import ClassifierSpec

EVIDENCE = pa.struct(
    [
        ("x0_px", pa.int32()),
        ("y0_px", pa.int32()),
        ("x1_px", pa.int32()),
        ("y1_px", pa.int32()),
        ("description", pa.string()),
    ]
)
TAGS = pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float32())]))
ROWS = pa.schema(
    [
        ("image_id", pa.string()),
        ("uri", pa.string()),
        ("etag", pa.string()),
        ("label", pa.string()),
        ("probability", pa.float32()),
        ("score", pa.float32()),
        ("margin", pa.float32()),
        ("tags", TAGS),
        ("evidence", EVIDENCE),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("failure", pa.string()),
        ("failure_detail", pa.string()),
        ("attempts", pa.int32()),
        ("run_id", pa.string()),
        ("labelled_at", pa.timestamp("us", tz="UTC")),
        ("fetched_bytes", pa.int64()),
    ]
)
"""schemas.Labels as it travels between stages, and the bytes that were read, for the receipt."""


class LabelImages:
    """Actor: decoded images in, one label row out for each, in order; failures pass through.

    It is given its ClassifierSpec pickled, as the driver has it.
    """

    def __init__(
        self, pickled_spec: bytes, lake: Lake, *, collection: str, run_id: str, device: str, threads: int
    ) -> None:
        from laketag.pipeline.stages.class_texts import load_class_texts

        spec: ClassifierSpec = pickle.loads(pickled_spec)
        try:
            texts = load_class_texts(lake, spec.descriptions.name, spec.descriptions.version)
            self._classifier: Classifier | LaketagError = spec.load(texts, device=device, threads=threads)
        except (
            LaketagError
        ) as error:  # Ray keeps only the text of what a constructor raises: raised by the call
            self._classifier = error
        self._run_id = run_id
        self._tags = {"collection": collection}
        self._in_flight = gauge("laketag_rows_in_flight")
        self._seconds = counter("laketag_model_seconds_total")
        self._batch_seconds = histogram("laketag_label_batch_seconds")

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Label the rows that have pixels, and keep the others as they failed."""
        if isinstance(self._classifier, LaketagError):
            raise self._classifier
        began = time.perf_counter()
        self._in_flight.set(batch.num_rows, self._tags | {"stage": "label"})
        try:
            results = _label(self._classifier, batch)
        finally:
            self._in_flight.set(0, self._tags | {"stage": "label"})
        seconds = time.perf_counter() - began
        self._seconds.inc(seconds, self._tags)
        self._batch_seconds.observe(seconds, self._tags)
        return label_rows(batch, results, self._run_id)


def label_rows(batch: pa.Table, results: Sequence["ImageLabel | None"], run_id: str) -> pa.Table:
    """The rows of ROWS for a decoded batch and its results; None where the row has a failure."""
    now = datetime.now(UTC)
    sizes = batch.select(["bounded_width_px", "bounded_height_px", "width_px", "height_px"]).to_pylist()
    columns: dict[str, Any] = {
        name: batch[name]
        for name in (
            "image_id",
            "uri",
            "etag",
            "width_px",
            "height_px",
            "failure",
            "failure_detail",
            "attempts",
            "fetched_bytes",
        )
    }
    columns |= {
        name: [getattr(result, name, None) for result in results]
        for name in ("label", "probability", "score", "margin")
    }
    columns["tags"] = [
        None
        if result is None
        else [{"label": label, "probability": probability} for label, probability in result.tags]
        for result in results
    ]
    columns["evidence"] = [
        None if r is None else _evidence(r, size) for r, size in zip(results, sizes, strict=True)
    ]
    columns["run_id"] = [run_id] * batch.num_rows
    columns["labelled_at"] = [now] * batch.num_rows
    arrays = [_array(columns[field.name], field.type) for field in ROWS]
    return pa.Table.from_arrays(arrays, schema=ROWS)


def _label(classifier: "Classifier", batch: pa.Table) -> list["ImageLabel | None"]:
    """A result for each row; None where it failed before."""
    failed = [reason is not None for reason in batch["failure"].to_pylist()]
    ids = batch["image_id"].to_pylist()
    sound = [row for row, without in enumerate(failed) if not without]
    labels = (
        classifier.label([_pixels(batch, row) for row in sound], [ids[row] for row in sound]) if sound else []
    )
    of_row = dict(zip(sound, labels, strict=True))
    return [of_row.get(row) for row in range(batch.num_rows)]


def _array(values: Any, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    return values.cast(kind) if isinstance(values, pa.ChunkedArray) else pa.array(values, kind)


def _pixels(batch: pa.Table, row: int) -> npt.NDArray[np.uint8]:
    """The row's image, uint8 RGB, height × width × 3, a view of the batch's memory."""
    height, width = batch["bounded_height_px"][row].as_py(), batch["bounded_width_px"][row].as_py()
    return np.frombuffer(batch["rgb_u8"][row].as_buffer(), np.uint8).reshape(height, width, 3)


def _evidence(result: "ImageLabel", size: dict[str, int]) -> dict[str, Any]:
    """The evidence with its box in pixels of the whole upright image: outward to full pixels."""
    across, down = size["width_px"] / size["bounded_width_px"], size["height_px"] / size["bounded_height_px"]
    x0, y0, x1, y1 = result.evidence_box_xyxy_px
    return {
        "x0_px": int(x0 * across),
        "y0_px": int(y0 * down),
        "x1_px": min(size["width_px"], -int(-x1 * across // 1)),
        "y1_px": min(size["height_px"], -int(-y1 * down // 1)),
        "description": result.evidence_description,
    }
