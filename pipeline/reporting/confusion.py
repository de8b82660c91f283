"""Labels against true classes."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Confusion:
    """A matrix of the classes that are confused most, and figures of each class."""

    names: list[str]
    rows: list[list[int]]
    """Images by true class (rows) and label (columns), in the order of the names."""
    left_out: int
    """Images whose true class or label is not among the names."""
    classes: dict[str, tuple[float | None, float | None]]
    """Recall and precision of each class that is a true class or a label; None where there is no image."""


def confusion_matrix(truths: pl.DataFrame, most: int) -> Confusion:
    """The confusion of Counts.truths; the matrix has the ``most`` classes with the most wrong images, in the order of names."""
    right = truths.filter(pl.col("true_class") == pl.col("label")).select(name="label", right="images")
    true = truths.group_by(name="true_class").agg(true=pl.col("images").sum())
    labelled = truths.group_by(name="label").agg(labelled=pl.col("images").sum())
    joined = (
        true.join(labelled, on="name", how="full", coalesce=True)
        .join(right, on="name", how="left")
        .fill_null(0)
    )
    ordered = joined.sort(
        pl.col("true") + pl.col("labelled") - 2 * pl.col("right"), "name", descending=[True, False]
    )
    names = sorted(ordered["name"].head(most))
    counts = {(true_class, label): images for true_class, label, images in truths.iter_rows()}
    rows = [[counts.get((true_class, label), 0) for label in names] for true_class in names]
    return Confusion(
        names=names,
        rows=rows,
        left_out=int(truths["images"].sum()) - sum(map(sum, rows)),
        classes={
            name: (right / true if true else None, right / labelled if labelled else None)
            for name, true, labelled, right in joined.select("name", "true", "labelled", "right").iter_rows()
        },
    )
