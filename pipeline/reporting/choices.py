"""Which images a report shows: a bounded number of them, chosen in one pass over all rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from laketag.pipeline.reporting.counts import Counts

SHEETS = ("certain", "typical", "doubtful")
"""Of each class: highest probability; nearest to the class's mean probability; lowest margin."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a report shows at most."""

    pictures_in_sheets: int = 240
    of_a_sheet: int = 4
    lowest: int = 24
    pairs: int = 12
    of_a_pair: int = 3
    of_a_failure: int = 4
    changes: int = 8
    of_a_change: int = 3
    stories: int = 6
    listed_classes: int = 1_000
    matrix_classes: int = 24
    rows_of_a_batch: int = 65_536
    """Rows that are in memory at once."""

    def sheet_size(self, classes: int) -> int:
        """How many images a sheet has with this number of classes."""
        return max(1, min(self.of_a_sheet, self.pictures_in_sheets // (len(SHEETS) * max(1, classes))))

    def classes_with_sheets(self, classes: int) -> int:
        """How many classes have sheets."""
        return min(classes, self.pictures_in_sheets // (len(SHEETS) * self.sheet_size(classes)))


@dataclass(frozen=True)
class Choices:
    """Ids of the images that are shown, by where."""

    sheets: dict[str, dict[str, list[str]]]
    """Class → sheet → images."""
    lowest: list[str]
    """Of the lowest margin over all."""
    pairs: dict[tuple[str, str], list[str]]
    """Of the pairs of classes that are confused most, those in which the second class has the most probability."""
    failures: dict[str, list[str]]
    """By reason."""
    changes: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """By the label before and the label now."""

    @property
    def labelled(self) -> list[str]:
        """All images that have a label, each once, in the order in which they are shown."""
        groups = [self.lowest, *self.changes.values(), *self.pairs.values()]
        groups += [ids for sheets in self.sheets.values() for ids in sheets.values()]
        return list(dict.fromkeys(image_id for group in groups for image_id in group))


def choose_images(rows: pl.LazyFrame, counts: Counts, limits: Limits) -> Choices:
    """The images of the rows (schemas.Labels) that are shown. Of equal ones the first by id is."""
    classes = counts.classes.head(limits.classes_with_sheets(counts.classes.height))
    size = limits.sheet_size(counts.classes.height)
    pairs = counts.pairs.head(limits.pairs)
    # an image is in one sheet only, so those that choose later keep more to choose from
    best = {
        "certain": _Best(["label"], size),
        "doubtful": _Best(["label"], 2 * size),
        "typical": _Best(["label"], 3 * size),
    }
    lowest, of_pairs = _Best([], limits.lowest), _Best(["one", "other"], limits.of_a_pair)
    failures = _Best(["failure"], limits.of_a_failure)
    columns = ("image_id", "label", "probability", "margin", "tags", pl.col("failure").cast(pl.String))
    for batch in _batches(rows.select(columns), limits.rows_of_a_batch):
        labelled = batch.filter(pl.col("label").is_not_null())
        own = labelled.join(classes.select("label", "mean_probability"), on="label")
        best["certain"].add(own, -pl.col("probability"))
        best["typical"].add(own, (pl.col("probability") - pl.col("mean_probability")).abs())
        best["doubtful"].add(own, pl.col("margin"))
        lowest.add(labelled, pl.col("margin"))
        of_pairs.add(_tagged_pairs(labelled, pairs), -pl.col("share"))
        failures.add(batch.filter(pl.col("failure").is_not_null()), pl.lit(0.0))
    found = {name: best[name].groups() for name in SHEETS}
    sheets = {}
    for label in classes["label"]:
        certain = found["certain"].get((label,), [])[:size]
        doubtful = [one for one in found["doubtful"].get((label,), []) if one not in certain][:size]
        rest = [one for one in found["typical"].get((label,), []) if one not in (*certain, *doubtful)]
        sheets[label] = dict(zip(SHEETS, (certain, rest[:size], doubtful), strict=True))
    pair_images = of_pairs.groups()
    return Choices(
        sheets=sheets,
        lowest=next(iter(lowest.groups().values()), []),
        pairs={
            pair: pair_images[pair] for pair in pairs.select("one", "other").rows() if pair in pair_images
        },
        failures={reason: ids for (reason,), ids in failures.groups().items()},
    )


def _tagged_pairs(labelled: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """A row for each image and pair whose classes are its label and another of its tags, with the other's probability."""
    tag = pl.col("tags").struct
    tags = labelled.select("image_id", "label", "tags").explode("tags")
    named = tags.select(
        "image_id",
        one=pl.min_horizontal("label", tag.field("label")),
        other=pl.max_horizontal("label", tag.field("label")),
        share=tag.field("probability"),
    )
    return named.join(pairs.select("one", "other"), on=["one", "other"], how="semi")


def choose_first(
    rows: pl.LazyFrame, groups: list[str], by: pl.Expr, most: int, batch_rows: int
) -> dict[tuple[str, ...], list[str]]:
    """For each combination of these columns the ids of the ``most`` rows for which ``by`` is lowest."""
    best = _Best(groups, most)
    for batch in _batches(rows, batch_rows):
        best.add(batch, by)
    return best.groups()


class _Best:
    """Of the rows that were added, for each group the ``most`` with the lowest keys."""

    def __init__(self, groups: list[str], most: int) -> None:
        self._groups, self._most = groups, most
        self._kept: pl.DataFrame | None = None

    def add(self, rows: pl.DataFrame, key: pl.Expr) -> None:
        """The rows have been considered."""
        new = rows.select("image_id", *self._groups, key=key.cast(pl.Float64))
        both = new if self._kept is None else pl.concat([self._kept, new])
        both = both.sort("key", "image_id", nulls_last=True)
        best = both.group_by(self._groups, maintain_order=True) if self._groups else both
        self._kept = best.head(self._most).select(new.columns)

    def groups(self) -> dict[tuple[str, ...], list[str]]:
        """The image ids of each group, the lowest key first."""
        if self._kept is None:
            return {}
        found: dict[tuple[str, ...], list[str]] = {}
        for image_id, *names in self._kept.select("image_id", *self._groups).iter_rows():
            found.setdefault(tuple(names), []).append(image_id)
        return found


def _batches(rows: pl.LazyFrame, batch_rows: int) -> Iterable[pl.DataFrame]:
    return rows.collect_batches(chunk_size=batch_rows, engine="streaming")
