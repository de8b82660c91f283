"""Contracts of the tables that a run keeps beside its labels, on request."""

import dataframely as dy
import polars as pl


class Float16(dy.Float32):
    """A column of half-precision floats, which dataframely lacks."""

    @property
    def dtype(self) -> pl.DataType:
        """As polars names it."""
        return pl.Float16()


class Scores(dy.Schema):
    """The scores of all classes for one labelled image; the footer lists the classes in the same order."""

    image_id = dy.String(primary_key=True, description="id of the image in the index")
    uri = dy.String(min_length=1, description="where the image is")
    etag = dy.String(min_length=1, description="the version of the image that was labelled")
    run_id = dy.String(min_length=1, description="the run that labelled the image")
    labelled_at = dy.Datetime(
        time_unit="us", time_zone="UTC", description="when the label and these were made"
    )
    scores = dy.List(
        Float16(),
        min_length=1,
        description="the method's score of each class, as in the column score of the label, in the order of the footer's "
        "classes; rounded to 11 bits, so that close scores may be equal here",
    )
