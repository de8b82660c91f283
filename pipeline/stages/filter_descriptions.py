"""Embedded descriptions in, the rows of the description table out."""

import numpy as np
import polars as pl

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.alike import find_alike_classes
from laketag.pipeline.descriptions.filtering import choose_kept
from laketag.schemas import LABEL_PROMPT_POSITION, Descriptions

IS_PROMPT = pl.col("position") == LABEL_PROMPT_POSITION
IS_KEPT = ~IS_PROMPT & pl.col("drop_reason").is_null()


def filter_descriptions(embedded: pl.DataFrame, settings: DescriptionSettings) -> pl.DataFrame:
    """The same rows (schemas.Descriptions), where ``drop_reason`` also has what only embeddings can tell."""
    prompts, candidates = embedded.filter(IS_PROMPT), embedded.with_row_index("row").filter(IS_KEPT)
    reasons = choose_kept(
        class_indexes(candidates, prompts),
        embedding_matrix(candidates["embedding"]),
        embedding_matrix(prompts["embedding"]),
        settings,
    )
    drop_reasons = embedded["drop_reason"].to_list()
    for row, reason in zip(candidates["row"], reasons, strict=True):
        drop_reasons[row] = reason
    filtered = embedded.with_columns(pl.Series("drop_reason", drop_reasons, pl.String))
    return Descriptions.validate(filtered.select(Descriptions.column_names()), cast=True)


def keep_label_prompts(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, and for each class without a kept description its label prompt once more, as its last description."""
    ends = rows.group_by("class_name").agg(last=pl.col("position").max(), is_bare=~IS_KEPT.any())
    bare = ends.filter("is_bare").drop("is_bare")
    described = rows.filter(IS_PROMPT).join(bare, on="class_name").with_columns(position=pl.col("last") + 1)
    order = pl.DataFrame({"class_name": rows["class_name"].unique(maintain_order=True)}).with_row_index(
        "class"
    )
    return (
        pl.concat([rows, described.drop("last")])
        .join(order, on="class_name", maintain_order="left")
        .sort("class", maintain_order=True)
        .drop("class")
    )


def name_alike_classes(rows: pl.DataFrame, settings: DescriptionSettings) -> list[tuple[str, ...]]:
    """Groups of classes that the model cannot tell apart, because their kept texts are nearly the same to it."""
    prompts, kept = rows.filter(IS_PROMPT), rows.filter(IS_KEPT)
    groups = find_alike_classes(
        embedding_matrix(prompts["embedding"]),
        embedding_matrix(kept["embedding"]),
        class_indexes(kept, prompts),
        settings.near_duplicate_cosine,
    )
    return [tuple(prompts["class_name"][index] for index in group) for group in groups]


def class_indexes(rows: pl.DataFrame, prompts: pl.DataFrame) -> np.ndarray:
    """The place of each row's class among the label prompts."""
    index = {name: number for number, name in enumerate(prompts["class_name"])}
    return np.array([index[name] for name in rows["class_name"]], np.int64)


def embedding_matrix(embeddings: pl.Series) -> np.ndarray:
    """Embeddings of equal length as one float32 array, texts × dim."""
    dim = len(embeddings[0]) if len(embeddings) else 0
    return embeddings.explode().cast(pl.Float32).to_numpy().reshape(len(embeddings), dim)
