"""Contract of the table of calibrations."""

import dataframely as dy
import polars as pl


class Calibrations(dy.Schema):
    """One row for each class of a calibration; the footer has what all classes share."""

    class_name = dy.String(primary_key=True, min_length=1, description="the class, as the set spells it")
    position = dy.Int32(min=0, description="its place in the order of the scores")
    mean = dy.Float64(description="mean of its scores over the sample, standardised as the footer says")
    spread = dy.Float64(min=0, description="their standard deviation (n − 1)")
    threshold = dy.Float64(
        nullable=True,
        description="the standard score above which the class is accepted; null: it never is",
    )
    refused = dy.String(nullable=True, description="why the class has no threshold")
    images = dy.Int64(nullable=True, min=0, description="images of the sample over the threshold")
    precision = dy.Float64(
        nullable=True, min=0, max=1, description="fraction of these images whose true class it is"
    )
    precision_low = dy.Float64(
        nullable=True, min=0, max=1, description="lower bound of the precision (Clopper–Pearson)"
    )
    precision_high = dy.Float64(nullable=True, min=0, max=1, description="upper bound of the same")

    @dy.rule()
    def threshold_or_refused(cls) -> pl.Expr:
        """A class has a threshold or a reason why it has none."""
        return cls.threshold.col.is_null() == cls.refused.col.is_not_null()
