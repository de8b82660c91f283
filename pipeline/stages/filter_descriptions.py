"""Embedded descriptions in, the rows of the description table out."""

import numpy as np
import polars as pl

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.filtering import choose_kept
from laketag.schemas import LABEL_PROMPT_POSITION, Descriptions


def filter_descriptions(embedded: pl.DataFrame, settings: DescriptionSettings) -> pl.DataFrame:
    """The same rows (schemas.Descriptions), where ``drop_reason`` also has what only embeddings can tell."""
    is_prompt = pl.col("position") == LABEL_PROMPT_POSITION
    prompts = embedded.filter(is_prompt)
    class_indexes = {name: index for index, name in enumerate(prompts["class_name"])}
    candidates = embedded.with_row_index("row").filter(~is_prompt, pl.col("drop_reason").is_null())
    reasons = choose_kept(
        np.array([class_indexes[name] for name in candidates["class_name"]], np.int64),
        _matrix(candidates["embedding"]),
        _matrix(prompts["embedding"]),
        settings,
    )
    drop_reasons = embedded["drop_reason"].to_list()
    for row, reason in zip(candidates["row"], reasons, strict=True):
        drop_reasons[row] = reason
    filtered = embedded.with_columns(pl.Series("drop_reason", drop_reasons, pl.String))
    return Descriptions.validate(filtered.select(Descriptions.column_names()), cast=True)


def _matrix(embeddings: pl.Series) -> np.ndarray:
    """Embeddings of equal length as one float32 array, texts × dim."""
    dim = len(embeddings[0]) if len(embeddings) else 0
    return embeddings.explode().cast(pl.Float32).to_numpy().reshape(len(embeddings), dim)
