"""What the label rows of a classifier say of each image: who labelled it twice, and how many images a run found done."""

from collections.abc import Iterator

import polars as pl

from laketag.pipeline.lake.hashed_rows import FindIds, HashedRows, hash_keys, name_doubles

IN_ONE_RUN = "has two rows in one run"
BY_TWO_RUNS = "was labelled by two runs in the same version"


class WorkKeys:
    """The keys of all rows of one collection and classifier, in 17 bytes a row, in the order of its runs."""

    def __init__(self, runs: pl.DataFrame) -> None:
        ages = pl.int_range(runs.height, eager=True, dtype=pl.UInt32)
        self._ages = runs.select(
            "run_id",
            "started_at",
            "finished_at",
            pl.col("left").is_null().alias("is_old"),
            pl.col("recalibrated").fill_null(value=False),
        ).with_columns(age=ages)
        self._keys = HashedRows("image", "age")

    def add(self, rows: pl.DataFrame) -> None:
        """Rows of a label file are among them."""
        hashed = hash_keys(rows).with_columns(rows["run_id"], is_labelled=rows["failure"].is_null())
        self._keys.add(hashed.join(self._ages.select("run_id", "age"), on="run_id").drop("run_id"))

    def parts(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """The number and the keys of each part that has any: image, version, age (place of the run) and is_labelled."""
        return self._keys.parts()

    def doubles(self, find_ids: FindIds) -> Iterator[tuple[str, str]]:
        """Images, and what is doubled.

        A run has one row for each image. Runs may have a row each, but not two labels of the same version one after
        the other: no plan has what another run has done or will do. The later one may be a run of laketag recalibrate, which has
        nothing but labels of earlier runs, decided anew. Only laketag 0.1.0 could sample what an unfinished
        run had planned, so its runs (without ``left``) may have both labelled an image if they overlap in time.
        """
        found: dict[str, list[int]] = {IN_ONE_RUN: [], BY_TWO_RUNS: []}
        same = pl.col("image") == pl.col("image").shift(-1)
        of_run = same & (pl.col("age") == pl.col("age").shift(-1))
        labelled = pl.col("is_labelled") & pl.col("is_labelled").shift(-1)
        again = same & ~of_run & labelled & (pl.col("version") == pl.col("version").shift(-1))
        is_late = pl.col("started_at_right") > pl.col("finished_at")
        is_new = ~(pl.col("is_old") | pl.col("is_old_right"))
        for _, keys in self._keys.parts():
            found[IN_ONE_RUN] += keys.filter(of_run)["image"].unique().to_list()
            pairs = keys.with_columns(second=pl.col("age").shift(-1)).filter(again)
            both = pairs.join(self._ages, on="age").join(self._ages, left_on="second", right_on="age")
            is_double = (is_late | is_new) & ~pl.col("recalibrated_right")
            found[BY_TWO_RUNS] += both.filter(is_double)["image"].unique().to_list()
        for what, images in found.items():
            yield from name_doubles(images, what, find_ids)

    def count_done(self, run_id: str, index: HashedRows) -> int:
        """How many images of the index, which the run was planned from, it left alone because of runs that had finished.

        These are the images whose newest earlier row is of the same version, and that the run has no row of. The plan
        leaves nothing else out but what it counts as ``left``.
        """
        run = self._ages.row(by_predicate=pl.col("run_id") == run_id, named=True)
        earlier = self._ages.filter(pl.col("finished_at") <= run["started_at"]).height
        parts = dict(index.parts()) if earlier else {}
        done = 0
        for number, keys in self._keys.parts():
            if number in parts:
                before = keys.filter(pl.col("age") < earlier)
                newest = before.filter(pl.col("image").ne_missing(pl.col("image").shift(-1)))
                own = keys.filter(pl.col("age") == run["age"]).select("image")
                images = parts[number].join(newest, on=["image", "version"], how="semi")
                done += images.join(own, on="image", how="anti").height
        return done
