"""The label of each image as queries and pages show it: a person's decision before what a calibration has accepted, and that
before the class with the highest score.

An image that is of none of the classes has the label NONE_OF_THESE, whether a person has decided so or no class was accepted;
``source`` tells which. No label has numbers that are about another class.
"""

from collections.abc import Sequence

import polars as pl

from laketag.pipeline.lake.decisions import VERSION
from laketag.schemas import NONE_OF_THESE

CLASSIFIER = "classifier"
DECISION = "decision"
FROM_DECISIONS = ("source", "predicted")
"""Columns that tell where the label comes from, and which one the classifier has given."""
OF_ITS_LABEL = ("probability", "calibrated_probability", "score", "margin", "evidence")
"""Columns that say something about the label of the classifier, and nothing about another class."""
OF_FAILURE = ("failure", "failure_detail", "failure_depended_on")
HAS_ABSTAINED = (pl.col("source") == CLASSIFIER) & pl.col("abstained").fill_null(value=False)
"""Whether nobody has decided the image, and no class was accepted for it."""


def decide_rows(rows: pl.LazyFrame, current: pl.DataFrame) -> pl.LazyFrame:
    """The rows (schemas.Labels) with FROM_DECISIONS, and with the decided class as label where one of the decisions counts.

    The decided class is the only tag then, or there is none if it is none of these; OF_ITS_LABEL are null unless the classifier
    has given the same label. An image that has failed has a label instead of the failure.
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
        *(pl.when(~is_decided | agrees).then(name).alias(name) for name in OF_ITS_LABEL),
        *(pl.when(~is_decided).then(name).alias(name) for name in OF_FAILURE),
    )
    only = pl.concat_list(pl.struct(label="decided", probability="probability"))
    none: pl.Expr = only.list.head(0)
    tags = pl.when(~is_decided).then("tags").when(pl.col("decided").is_null()).then(none).otherwise(only)
    return others.with_columns(
        tags=tags,
        label=pl.when(is_decided).then(pl.col("decided").fill_null(NONE_OF_THESE)).otherwise("label"),
        source=pl.col("source").fill_null(CLASSIFIER),
    ).select(pl.exclude("decided", *FROM_DECISIONS), *FROM_DECISIONS)


def hide_unaccepted(rows: pl.LazyFrame, numbers: Sequence[str] = OF_ITS_LABEL) -> pl.LazyFrame:
    """The rows (of decide_rows) with NONE_OF_THESE as label, and without these numbers, where the image has abstained."""
    label = pl.when(HAS_ABSTAINED).then(pl.lit(NONE_OF_THESE)).otherwise("label")
    hidden = (pl.when(~HAS_ABSTAINED).then(name).alias(name) for name in numbers)
    return rows.with_columns(*hidden, label=label)
