"""What Hugging Face datasets write into the footer of a table about its columns."""

import json
from typing import Any

import pyarrow as pa

from laketag.pipeline.images.column_types import holds_images


def find_image_feature(schema: pa.Schema) -> str | None:
    """The first column that is declared to hold images, and can; None if there is none."""
    declared = _features(schema)
    for field in schema:
        if declared.get(field.name, {}).get("_type") == "Image" and holds_images(field.type):
            return str(field.name)
    return None


def find_class_names(schema: pa.Schema, column: str) -> list[str] | None:
    """The names behind the class numbers in the column; None if it holds no numbers, or no names are declared."""
    if not pa.types.is_integer(schema.field(column).type):
        return None
    names = _features(schema).get(column, {}).get("names")
    return [str(name) for name in names] if isinstance(names, list) else None


def _features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """What is declared about the columns; empty if nothing."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}
