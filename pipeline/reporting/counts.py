"""Counts over all rows of a report, in one pass: outcomes, classes, probabilities, pairs of classes, and true classes."""

from dataclasses import dataclass

import polars as pl

from laketag.schemas import NONE_OF_THESE

BINS = 20
"""Of equal width, that probabilities are counted in."""


@dataclass(frozen=True)
class Counts:
    """Frames whose size depends on the number of classes only."""

    outcomes: pl.DataFrame
    """status, failure, is_none, images; ``is_none``: of none of the classes."""
    classes: pl.DataFrame
    """label, images, mean_probability, known, right; the most frequent first. ``known`` images have a true class, and are not
    none of these."""
    probabilities: pl.DataFrame
    """bin, images, mean_probability, known, right."""
    pairs: pl.DataFrame
    """one, other, mass, images; see ``fold_pairs``."""
    truths: pl.DataFrame
    """true_class, label, images."""

    @property
    def labelled(self) -> int:
        """Images with a label, also with that of none of the classes."""
        return int(self.classes["images"].sum())

    @property
    def none(self) -> int:
        """Images that are of none of the classes, because a person has decided so or no class was accepted."""
        return int(self.classes.filter(pl.col("label") == NONE_OF_THESE)["images"].sum())

    @property
    def failed(self) -> int:
        """Images with a failure."""
        return int(self.outcomes.filter(pl.col("failure").is_not_null())["images"].sum())

    @property
    def mean_probability(self) -> float | None:
        """Of all labels that have one; a person's decision has none."""
        measured = self.probabilities
        images = int(measured["images"].sum())
        return float((measured["mean_probability"] * measured["images"]).sum()) / images if images else None

    @property
    def known(self) -> int:
        """Labelled images with a true class."""
        return int(self.classes["known"].sum())

    @property
    def accuracy(self) -> float | None:
        """The share of these whose label is their true class."""
        return int(self.classes["right"].sum()) / self.known if self.known else None


def count_rows(rows: pl.LazyFrame) -> Counts:
    """The counts of these rows (schemas.Labels with ``true_class`` and ``status``)."""
    labelled = rows.filter(pl.col("label").is_not_null())
    is_none = (pl.col("label") == NONE_OF_THESE).fill_null(value=False)
    is_known = pl.col("true_class").is_not_null() & ~is_none
    measured = {
        "images": pl.len(),
        "mean_probability": pl.col("probability").cast(pl.Float64).mean(),
        "known": is_known.sum(),
        "right": (is_known & (pl.col("true_class") == pl.col("label"))).sum(),
    }
    bin_number = (pl.col("probability") * BINS).floor().clip(0, BINS - 1).cast(pl.Int32)
    tag = pl.col("tags").struct
    tags = labelled.filter(~is_none).select("label", "tags").explode("tags")
    others = tags.select(one="label", other=tag.field("label"), probability=tag.field("probability"))
    outcomes, classes, probabilities, pairs, truths = pl.collect_all(
        [
            rows.group_by("status", "failure", is_none=is_none).agg(images=pl.len()),
            labelled.group_by("label").agg(**measured),
            labelled.filter(pl.col("probability").is_not_null()).group_by(bin=bin_number).agg(**measured),
            others.filter(pl.col("one") != pl.col("other"))
            .group_by("one", "other")
            .agg(mass=pl.col("probability").cast(pl.Float64).sum(), images=pl.len()),
            labelled.filter(is_known).group_by("true_class", "label").agg(images=pl.len()),
        ],
        engine="streaming",
    )
    return Counts(
        outcomes=outcomes.sort("images", "failure", descending=[True, False]),
        classes=classes.sort("images", "label", descending=[True, False]),
        probabilities=probabilities.sort("bin"),
        pairs=fold_pairs(pairs),
        truths=truths.sort("images", "true_class", "label", descending=[True, False, False]),
    )


def fold_pairs(directed: pl.DataFrame) -> pl.DataFrame:
    """The pairs of classes in either order, those first between which the most probability is divided.

    ``mass`` is the sum, over the images labelled as the one, of the probability of the other: how many of the images would
    be of the other class if the probabilities are right. ``images`` counts those that have both among their tags.
    """
    names = [pl.min_horizontal("one", "other").alias("one"), pl.max_horizontal("one", "other").alias("other")]
    summed = directed.with_columns(names).group_by("one", "other").agg(pl.col("mass", "images").sum())
    return summed.sort("mass", "one", "other", descending=[True, False, False])
