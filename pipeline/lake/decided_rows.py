"""Rows of images in which a decision of a person takes the place of the classifier's label."""

import polars as pl

from laketag.pipeline.lake.decisions import VERSION

CLASSIFIER = "classifier"
DECISION = "decision"
FROM_DECISIONS = ("source", "predicted")
"""Columns that tell where the label comes from, and which one the classifier has given."""
OF_ITS_LABEL = ("probability", "score", "margin", "evidence")
"""Columns that say something about the label of the classifier, and nothing about another class."""


def decide_rows(rows: pl.LazyFrame, current: pl.DataFrame) -> pl.LazyFrame:
    """The rows (schemas.Labels) with FROM_DECISIONS, and with the decided class as label where one of the decisions counts.

    ``label`` is null where the image is of none of the classes. The decided class is the only tag then, and OF_ITS_LABEL are
    null unless the classifier has given the same label.
    """
    rows = rows.with_columns(predicted=pl.col("label"))
    if current.is_empty():
        return rows.with_columns(source=pl.lit(CLASSIFIER)).select(
            pl.exclude(FROM_DECISIONS), *FROM_DECISIONS
        )
    decided = current.lazy().select(*VERSION, decided="label", source=pl.lit(DECISION))
    both = rows.join(decided, on=VERSION, how="left", maintain_order="left")
    is_decided = pl.col("source").is_not_null()
    agrees = pl.col("decided").eq_missing(pl.col("predicted"))
    others = both.with_columns(
        pl.when(~is_decided | agrees).then(pl.col(name)).alias(name) for name in OF_ITS_LABEL
    )
    only = pl.concat_list(pl.struct(label="decided", probability="probability"))
    none: pl.Expr = only.list.head(0)
    tags = pl.when(~is_decided).then("tags").when(pl.col("decided").is_null()).then(none).otherwise(only)
    return others.with_columns(
        tags=tags,
        label=pl.when(is_decided).then("decided").otherwise("label"),
        source=pl.col("source").fill_null(CLASSIFIER),
    ).select(pl.exclude("decided", *FROM_DECISIONS), *FROM_DECISIONS)
