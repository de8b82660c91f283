"""Which images have two rows where there must be one, in 21 bytes a row."""

from collections.abc import Callable, Iterator

import polars as pl

NAMED_IMAGES = 20
"""How many of the images are named; of the others the number is."""

PARTS = 16
"""The keys are sorted in this many parts, which bounds the memory of sorting."""
IN_ONE_RUN = "has two rows in one run"
BY_TWO_RUNS = "was labelled by two runs in the same version"


class WorkKeys:
    """The keys of all rows of one collection and classifier, as hashes, in the order of its runs."""

    def __init__(self, runs: pl.DataFrame) -> None:
        ages = pl.int_range(runs.height, eager=True, dtype=pl.UInt32)
        self._ages = runs.select(
            "run_id", "started_at", "finished_at", pl.col("left").is_null().alias("is_old")
        ).with_columns(age=ages)
        self._keys: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Rows of a label file are among them."""
        hashed = rows.select(
            "run_id",
            pl.col("image_id").hash().alias("image"),
            pl.col("etag").hash().alias("version"),
            pl.col("failure").is_null().alias("is_labelled"),
        )
        self._keys.append(hashed.join(self._ages.select("run_id", "age"), on="run_id").drop("run_id"))

    def doubles(self, find_ids: Callable[[list[int]], dict[int, str]]) -> Iterator[tuple[str, str]]:
        """Ids of images, and what is doubled; ``find_ids`` finds the ids with these hashes.

        A run has one row for each image. Runs may have a row each, but not two labels of the same version one after
        the other: no plan has what another run has done or will do. Only laketag 0.1.0 could sample what an unfinished
        run had planned, so its runs (without ``left``) may have both labelled an image if they overlap in time.
        """
        found: dict[str, list[int]] = {IN_ONE_RUN: [], BY_TWO_RUNS: []}
        for part in range(PARTS if self._keys else 0):
            of_part = [keys.filter(pl.col("image") % PARTS == part) for keys in self._keys]
            keys = pl.concat(of_part).sort("image", "age")
            same = pl.col("image") == pl.col("image").shift(-1)
            of_run = same & (pl.col("age") == pl.col("age").shift(-1))
            labelled = pl.col("is_labelled") & pl.col("is_labelled").shift(-1)
            again = same & ~of_run & labelled & (pl.col("version") == pl.col("version").shift(-1))
            found[IN_ONE_RUN] += keys.filter(of_run)["image"].unique().to_list()
            pairs = keys.with_columns(second=pl.col("age").shift(-1)).filter(again)
            both = pairs.join(self._ages, on="age").join(self._ages, left_on="second", right_on="age")
            is_late = pl.col("started_at_right") > pl.col("finished_at")
            is_new = ~(pl.col("is_old") | pl.col("is_old_right"))
            found[BY_TWO_RUNS] += both.filter(is_late | is_new)["image"].unique().to_list()
        for what, images in found.items():
            names = find_ids(images[:NAMED_IMAGES]) if images else {}
            for name in sorted(names.values()):
                yield name, what
            if len(images) > NAMED_IMAGES:
                yield f"and {len(images) - NAMED_IMAGES:,} more", what
