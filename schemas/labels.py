"""Contract of the label table."""

from functools import cache

import dataframely as dy
import polars as pl
import pyarrow as pa

from laketag.schemas.failures import FAILURES

LABELLED = "labelled"
"""The outcome of an image that has a label; the other outcomes are the failure reasons."""
TIERS = ("full", "cheap", "early")
"""How far a budget went: all views of the method; the whole image alone (cascade); only the first crops (adaptive)."""

NONE_OF_THESE = "none of these"
"""What queries show as the label of an image that is of none of the classes: a person has decided so, or it has abstained."""


class Labels(dy.Schema):
    """Exactly one row for every image in the plan: its label, or its failure."""

    image_id = dy.String(primary_key=True, description="id of the image in the index")
    uri = dy.String(min_length=1, description="where the image is")
    etag = dy.String(min_length=1, description="the version of the image that was labelled")
    label = dy.String(nullable=True, description="class with the highest score")
    probability = dy.Float32(
        nullable=True,
        min=0,
        max=1,
        description="share of the label in the whole that the scores of all classes of the set are divided into",
    )
    score = dy.Float32(
        nullable=True, description="the method's score of the label (ABS: sum over views and descriptions)"
    )
    margin = dy.Float32(
        nullable=True, min=0, description="score of the label minus the score of the second class"
    )
    tags = dy.List(
        dy.Struct({"label": dy.String(), "probability": dy.Float32(min=0, max=1)}),
        nullable=True,
        description="the classes with the highest scores and their probabilities, best first; the first is the label",
    )
    evidence = dy.Struct(
        {
            "x0_px": dy.Int32(min=0),
            "y0_px": dy.Int32(min=0),
            "x1_px": dy.Int32(min=0),
            "y1_px": dy.Int32(min=0),
            "description": dy.String(),
        },
        nullable=True,
        description="the view (pixels of the upright image, x1 and y1 exclusive) and the description that spoke most for it",
    )
    calibrated_probability = dy.Float32(
        nullable=True,
        min=0,
        max=1,
        description="probability of the label with the calibration's factor; null: none was fitted",
    )
    tag_scores = dy.List(
        dy.Float32(),
        nullable=True,
        description="for each of the tags its class's standard score, which judges the class alone; null: not calibrated",
    )
    accepted = dy.List(
        dy.Struct({"label": dy.String(), "score": dy.Float32()}),
        nullable=True,
        description="all classes over their thresholds with their standard scores, best first; null: not calibrated",
    )
    abstained = dy.Bool(
        nullable=True,
        description="whether no class is over its threshold: none of these; null: not calibrated",
    )
    conformal_set = dy.List(
        dy.String(),
        nullable=True,
        description="classes among which the true one is with the chance that the calibration promises, best first",
    )
    tier = dy.String(
        nullable=True,
        regex=f"^({'|'.join(TIERS)})$",
        description="full: all views of the method were used; cheap: the whole image was enough (cascade); early: the first "
        "crops were enough (adaptive)",
    )
    crops = dy.Int32(nullable=True, min=0, description="number of crops that were encoded for the image")
    width_px = dy.Int32(nullable=True, min=1, description="width of the upright image in pixels")
    height_px = dy.Int32(nullable=True, min=1, description="height of the upright image in pixels")
    failure = dy.Enum(FAILURES, nullable=True, description="why there is no label")
    failure_detail = dy.String(nullable=True, description="what exactly went wrong, in words")
    attempts = dy.Int32(min=0, description="how often this run asked the store for the image")
    earlier_attempts = dy.Int32(
        nullable=True,
        min=0,
        description="how often earlier runs asked the store for this version in vain, if any did",
    )
    failure_depended_on = dy.String(
        nullable=True,
        description="the limit that the image exceeded, the formats that were read or the roots that were allowed; null for "
        "failures that depend on none of them",
    )
    run_id = dy.String(min_length=1, description="the run that wrote the row")
    labelled_at = dy.Datetime(time_unit="us", time_zone="UTC", description="when the row was made, UTC")

    @dy.rule()
    def labelled_or_failed(cls) -> pl.Expr:
        """A row has a label or a failure, never both, never neither."""
        return cls.label.col.is_null() != cls.failure.col.is_null()

    @dy.rule()
    def label_is_complete(cls) -> pl.Expr:
        """A label comes with its probability, score, margin, tags, evidence and the image's size."""
        parts = (cls.probability, cls.score, cls.margin, cls.tags, cls.evidence, cls.width_px, cls.height_px)
        return cls.label.col.is_null() | pl.all_horizontal(part.col.is_not_null() for part in parts)

    @dy.rule()
    def abstained_means_none_accepted(cls) -> pl.Expr:
        """A calibrated row has abstained if no class was accepted."""
        return cls.abstained.col.eq_missing(cls.accepted.col.list.len() == 0)

    @dy.rule()
    def first_tag_is_label(cls) -> pl.Expr:
        """The first tag is the label, with the same probability."""
        first = cls.tags.col.list.first().struct
        return cls.label.col.is_null() | (
            first.field("label").eq_missing(cls.label.col)
            & first.field("probability").eq_missing(cls.probability.col)
        )


@cache
def label_arrow_schema() -> pa.Schema:
    """The columns of Labels as they travel between stages; ``failure`` is text there, as Ray merges blocks."""
    columns = {**Labels.create_empty().schema, "failure": pl.String()}
    return pl.Schema(columns).to_arrow(compat_level=pl.CompatLevel.oldest())
