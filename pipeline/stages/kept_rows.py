"""What travels from the label stage to the write stage for the tables that a run keeps beside its labels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from laketag.schemas import label_arrow_schema

if TYPE_CHECKING:
    from laketag.pipeline.classifier.methods import ImageLabel
    from laketag.pipeline.lake.paths import KeptTable

FIELDS: "dict[KeptTable, tuple[pa.Field[Any], ...]]" = {
    "scores": (pa.field("scores", pa.list_(pa.float16())),)
}
"""The columns of each table that label rows do not have."""


def kept_arrow_schema(tables: Sequence["KeptTable"]) -> pa.Schema:
    """The columns of label rows, and those of the tables."""
    schema = label_arrow_schema()
    for field in (field for table in tables for field in FIELDS[table]):
        schema = schema.append(field)
    return schema


def kept_columns(label: "ImageLabel", tables: Sequence["KeptTable"]) -> dict[str, Any]:
    """The further columns of a labelled row."""
    columns: dict[str, Any] = {}
    if "scores" in tables:
        columns["scores"] = label.scores.astype(np.float16)
    return columns
