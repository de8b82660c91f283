"""A report on a version of a description set, from its table alone."""

import polars as pl

from laketag.pipeline.descriptions.report import (
    ClassReport,
    DroppedText,
    KeptTexts,
    SetReport,
    find_neighbours,
    suggest,
)
from laketag.pipeline.lake.description_versions import latest_embedded_set, read_descriptions_table
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.stages.filter_descriptions import IS_PROMPT, class_indexes, embedding_matrix


def report_descriptions(lake: Lake, set_name: str) -> SetReport:
    """What became of the texts of the set's newest version, and which of its classes are near to each other."""
    embedded = latest_embedded_set(lake, set_name)
    classes, suggestions = report_rows(read_descriptions_table(lake, set_name, embedded.version))
    return SetReport(
        description_set=set_name, version=embedded.version, classes=classes, suggestions=suggestions
    )


def suggest_for(table: pl.DataFrame) -> tuple[str, ...]:
    """What to change about the rows (schemas.Descriptions): rules that leave a class without texts, names in many texts."""
    return report_rows(table)[1]


def report_rows(table: pl.DataFrame) -> tuple[tuple[ClassReport, ...], tuple[str, ...]]:
    """What became of the texts among the rows (schemas.Descriptions) class by class, and suggestions."""
    rows = table.with_columns(pl.col("drop_reason").cast(pl.String))
    prompts, own = rows.filter(IS_PROMPT), rows.filter(~IS_PROMPT)
    kept, dropped = (
        own.filter(pl.col("drop_reason").is_null()),
        own.filter(pl.col("drop_reason").is_not_null()),
    )
    neighbours = find_neighbours(
        KeptTexts(
            class_names=prompts["class_name"].to_list(),
            texts=kept["text"].to_list(),
            class_index=class_indexes(kept, prompts),
            embeddings=embedding_matrix(kept["embedding"]),
        )
    )
    counts = _count_texts(kept, prompts)
    reasons: dict[str, dict[str, int]] = {name: {} for name in prompts["class_name"]}
    for name, reason, texts in (
        dropped.group_by("class_name", "drop_reason", maintain_order=True)
        .len()
        .sort("len", descending=True)
        .rows()
    ):
        reasons[name][reason] = texts
    classes = tuple(
        ClassReport(class_name=name, kept=counts.get(name, 0), dropped=reasons[name], nearest=nearest)
        for name, nearest in zip(prompts["class_name"], neighbours, strict=True)
    )
    found = [DroppedText(*row) for row in dropped.select("class_name", "text", "drop_reason").iter_rows()]
    return classes, suggest(classes, found)


def _count_texts(kept: pl.DataFrame, prompts: pl.DataFrame) -> dict[str, int]:
    """How many kept texts of its own each class has; the label prompt that describes a class without any is none."""
    with_prompt = kept.join(prompts.select("class_name", prompt="text"), on="class_name")
    alone = pl.len() == 1
    is_prompt = (pl.col("text") == pl.col("prompt")).all()
    counted = with_prompt.group_by("class_name").agg(
        texts=pl.when(alone & is_prompt).then(0).otherwise(pl.len())
    )
    return dict(counted.rows())
