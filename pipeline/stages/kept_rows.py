"""What travels from the label stage to the write stage for the tables that a run keeps beside its labels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from laketag.pipeline.lake.kept_tables import embedding_format, kept_tables
from laketag.pipeline.stages.evidence_boxes import in_upright_image
from laketag.schemas import label_arrow_schema

if TYPE_CHECKING:  # the driver does without torch
    from laketag.pipeline.classifier.methods import ImageLabel
    from laketag.pipeline.config import EmbeddingFormat
    from laketag.pipeline.lake.paths import KeptTable

FIELDS: "dict[KeptTable, tuple[pa.Field[Any], ...]]" = {
    "scores": (pa.field("scores", pa.list_(pa.float16())),),
    "embeddings": (
        pa.field("boxes_px", pa.list_(pa.int32())),
        pa.field("format", pa.string()),
        pa.field("embeddings", pa.large_binary()),
        pa.field("scales", pa.list_(pa.float32())),
        pa.field("logit_scale", pa.float64()),
    ),
}
"""The columns of each table that label rows do not have."""


def kept_arrow_schema(keep: str) -> pa.Schema:
    """The columns of label rows, and those of the tables that a run with this ``keep`` writes."""
    schema = label_arrow_schema()
    for field in (field for table in kept_tables(keep) for field in FIELDS[table]):
        schema = schema.append(field)
    return schema


def kept_columns(label: "ImageLabel", row: dict[str, Any], keep: str) -> dict[str, Any]:
    """The further columns of a labelled row, which has the sizes of the image."""
    columns: dict[str, Any] = {}
    if "scores" in kept_tables(keep):
        columns["scores"] = label.scores.astype(np.float16)
    if stored_as := embedding_format(keep):
        columns |= _pack_views(label, row, stored_as)
    return columns


def _pack_views(label: "ImageLabel", row: dict[str, Any], stored_as: "EmbeddingFormat") -> dict[str, Any]:
    from laketag.pipeline.classifier.kept_views import pack

    views = label.views
    assert views is not None
    packed = pack(views.embeddings, stored_as)
    boxes: Sequence[Sequence[int]] = views.boxes_xyxy_px.tolist()
    return {
        "boxes_px": [edge for box in boxes for edge in in_upright_image(box, row)],
        "format": stored_as,
        "embeddings": packed.numbers,
        "scales": packed.scales,
        "logit_scale": views.logit_scale,
    }
