"""Reasons that only embeddings tell."""

import polars as pl

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.stages.filter_descriptions import (
    filter_descriptions,
    keep_label_prompts,
    name_alike_classes,
)


def embedded(*rows: tuple[str, int, str | None, list[float] | None]) -> pl.DataFrame:
    """Rows as they come from the actors: class, position, reason, embedding."""
    columns = ("class_name", "position", "drop_reason", "embedding")
    schema = {"class_name": pl.String, "position": pl.Int32, "drop_reason": pl.String}
    frame = pl.DataFrame(rows, schema={**schema, "embedding": pl.List(pl.Float32)}, orient="row")
    assert tuple(frame.columns) == columns
    return frame.with_columns(text=pl.lit("a text"), tokens=pl.lit(4, pl.Int32), truncated=pl.lit(False))


def test_reasons_that_embeddings_tell_are_put_on_the_right_rows():
    rows = embedded(
        ("cat", -1, None, [1.0, 0.0]),
        ("cat", 0, "empty", None),
        ("cat", 1, None, [0.0, 1.0]),
        ("cat", 2, "names_another_class", None),
        ("cat", 3, None, [0.0, 1.0]),
        ("cat", 4, None, [0.6, 0.8]),
        ("cat", 5, None, [0.8, 0.6]),
        ("dog", -1, None, [0.0, 1.0]),
        ("dog", 0, None, [0.0, 1.0]),
    )
    filtered = filter_descriptions(rows, DescriptionSettings(limit_per_class=2))
    assert filtered["drop_reason"].to_list() == [
        None,
        "empty",
        None,
        "names_another_class",
        "near_duplicate",
        None,
        "over_limit",
        None,
        None,
    ]
    closer = filter_descriptions(rows, DescriptionSettings(drop_closer_to_another_class=True))
    assert closer["drop_reason"].to_list()[2:7:2] == ["closer_to_another_class"] * 2 + [None]


def test_filtering_needs_no_text_to_be_left():
    rows = embedded(("cat", -1, None, [1.0, 0.0]), ("cat", 0, "empty", None))
    assert filter_descriptions(rows, DescriptionSettings())["drop_reason"].to_list() == [None, "empty"]


def test_a_class_without_a_kept_text_keeps_its_label_prompt_as_its_last_description():
    rows = embedded(
        ("cat", -1, None, [1.0, 0.0]),
        ("cat", 0, "empty", None),
        ("cat", 1, "names_another_class", None),
        ("dog", -1, None, [0.0, 1.0]),
        ("dog", 0, None, [0.6, 0.8]),
        ("owl", -1, None, [0.8, 0.6]),
    )
    kept = keep_label_prompts(filter_descriptions(rows, DescriptionSettings()))
    columns = kept.select("class_name", "position", pl.col("drop_reason").cast(pl.String), "embedding")
    assert columns.rows() == [
        ("cat", -1, None, [1.0, 0.0]),
        ("cat", 0, "empty", None),
        ("cat", 1, "names_another_class", None),
        ("cat", 2, None, [1.0, 0.0]),
        ("dog", -1, None, [0.0, 1.0]),
        ("dog", 0, None, [0.6000000238418579, 0.800000011920929]),
        ("owl", -1, None, [0.800000011920929, 0.6000000238418579]),
        ("owl", 0, None, [0.800000011920929, 0.6000000238418579]),
    ]
    assert keep_label_prompts(kept).equals(kept)


def test_classes_whose_kept_texts_are_nearly_the_same_are_named_together():
    rows = embedded(
        ("cat", -1, None, [1.0, 0.0]),
        ("cat", 0, None, [0.6, 0.8]),
        ("dog", -1, None, [0.0, 1.0]),
        ("dog", 0, None, [0.6, 0.8]),
        ("dog", 1, "over_limit", [1.0, 0.0]),
        ("owl", -1, None, [0.6, 0.8]),
        ("owl", 0, None, [0.0, 1.0]),
    )
    filtered = filter_descriptions(rows, DescriptionSettings())
    assert name_alike_classes(filtered, DescriptionSettings()) == [("cat", "dog")]
