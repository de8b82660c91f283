"""Contracts of the tables that a run keeps beside its labels, on request."""

import dataframely as dy
import polars as pl


class Float16(dy.Float32):
    """A column of half-precision floats, which dataframely lacks."""

    @property
    def dtype(self) -> pl.DataType:
        """As polars names it."""
        return pl.Float16()


class KeptRow(dy.Schema):
    """What names one labelled image and its run in each of these tables."""

    image_id = dy.String(primary_key=True, description="id of the image in the index")
    uri = dy.String(min_length=1, description="where the image is")
    etag = dy.String(min_length=1, description="the version of the image that was labelled")
    run_id = dy.String(min_length=1, description="the run that labelled the image")
    labelled_at = dy.Datetime(
        time_unit="us", time_zone="UTC", description="when the label and these were made"
    )


class Scores(KeptRow):
    """The scores of all classes for one labelled image; the footer lists the classes in the same order."""

    scores = dy.List(
        Float16(),
        min_length=1,
        description="the method's score of each class, as in the column score of the label, in the order of the footer's "
        "classes; rounded to 11 bits, so that close scores may be equal here",
    )


class Embeddings(KeptRow):
    """The embeddings of one labelled image: of the whole image first, then of each crop that was matched."""

    width_px = dy.Int32(min=1, description="width of the upright image in pixels")
    height_px = dy.Int32(min=1, description="height of the upright image in pixels")
    boxes_px = dy.List(
        dy.Int32(min=0),
        min_length=4,
        description="of one view after the other x0, y0, x1 and y1 in pixels of the upright image, x1 and y1 exclusive",
    )
    format = dy.String(regex="^(fp32|fp16|int8)$", description="the numbers in the column embeddings")
    embeddings = dy.Binary(
        description="little-endian numbers of the format, one view after the other; each view has length 1 before rounding"
    )
    scales = dy.List(
        dy.Float32(),
        nullable=True,
        description="of int8: for each view the number that its numbers are multiplied by; null: of the other formats",
    )
    logit_scale = dy.Float64(min=0, description="the CLIP model's own factor on cosines")

    @dy.rule()
    def int8_has_scales(cls) -> pl.Expr:
        """Scales come with int8 and with nothing else."""
        return cls.scales.col.is_not_null() == (cls.format.col == "int8")
