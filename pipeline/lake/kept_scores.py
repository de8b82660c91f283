"""Reading the scores of all classes that runs have kept (``laketag label --keep scores``)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float16

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.hashed_ids import version_key
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_footer, scan_table
from laketag.pipeline.store.files import READS_AT_ONCE
from laketag.pipeline.store.outages import through_outages
from laketag.pipeline.store.read_ahead import read_ahead
from laketag.schemas import Scores


@dataclass(frozen=True)
class KeptScores:
    """Scores in one file: a row for each image, a column for each class."""

    class_names: tuple[str, ...]
    rows: pl.DataFrame
    """image_id, uri, etag and run_id of the images, in the order of the scores."""
    scores: Float16[np.ndarray, "images classes"]


def read_scores(lake: Lake, runs: pl.DataFrame, wanted: pl.DataFrame | None = None) -> Iterator[KeptScores]:
    """The scores that these runs (schemas.Runs) have kept, file by file, at most some 64 MiB at a time.

    Each labelled image of a run is there once; join with the rows of ``laketag.pipeline.lake.runs.scan_newest`` on
    ``image_id`` and ``run_id`` for the newest of each image. Of ``wanted`` images (image_id, etag) each version is there once,
    of whichever run, and files without one of them are not read but for their keys.

    Runs without ``scores`` in their column ``keep`` have none.
    Of a run within an adaptive budget they are those of all crops, as far as the crops that were encoded tell; of one within a
    cascade some rows (``tier`` of the label) are cosines, which do not compare with the others.
    Scores are rounded to 11 bits; the exact score of the label is in the label's row.
    """
    files = score_files(lake, runs)
    places = locate_scores(lake, runs)
    if wanted is not None:
        places = select_places(places, wanted)
    for (number,), of_file in places.partition_by("file", as_dict=True, maintain_order=True).items():
        yield read_score_file(lake, files[int(number)], of_file["row"])


def score_files(lake: Lake, runs: pl.DataFrame) -> list[str]:
    """URLs of the files with the scores of these runs, each once; some may hold rows of other runs, too."""
    named = runs["kept_files"].explode().drop_nulls().unique(maintain_order=True)
    return [f"{lake.root}/{path}" for path in named.filter(named.str.starts_with("scores/"))]


def locate_scores(lake: Lake, runs: pl.DataFrame) -> pl.DataFrame:
    """Where the kept scores of the runs are: ``key`` (version_key), ``file``, its number in score_files, and ``row`` in it.

    Only the keys of the files are read; 24 bytes are held for each row.
    """
    is_named = pl.col("run_id").is_in(runs["run_id"].implode())

    def read_keys(numbered: tuple[int, str]) -> pl.DataFrame:
        number, url = numbered

        def read() -> pl.DataFrame:
            keys = scan_table([url], Scores, lake.storage).select("run_id", key=version_key())
            return keys.with_row_index("row").filter(is_named).select("key", "row").collect()

        found = through_outages(url, lake.storage, read)
        return found.select("key", pl.lit(number, pl.UInt32).alias("file"), "row")

    empty = pl.DataFrame(schema={"key": pl.UInt128, "file": pl.UInt32, "row": pl.UInt32})
    reads = read_ahead(read_keys, enumerate(score_files(lake, runs)), READS_AT_ONCE)
    return pl.concat([empty, *(keys.result() for _, keys in reads)])


def select_places(places: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """One of the places of locate_scores for each of the wanted images (image_id, etag) that has any."""
    keys = wanted.select(key=version_key())
    return places.join(keys, on="key", how="semi").unique("key", keep="last").sort("file", "row")


def read_score_file(lake: Lake, url: str, rows: pl.Series) -> KeptScores:
    """These rows of the file, in this order; an InputError if one has not a score for each class."""
    columns = ["image_id", "uri", "etag", "run_id", "scores"]
    found = through_outages(
        url, lake.storage, lambda: scan_table([url], Scores, lake.storage).select(columns).collect()
    )[rows]
    class_names = tuple(json.loads(read_footer(url, lake.storage)["classes"]))
    if (found["scores"].list.len() != len(class_names)).any():
        raise InputError(
            f"{url}: has rows without a score for each of its {len(class_names)} classes; find out what changed it: "
            "laketag verify"
        )
    scores = found["scores"].explode().to_numpy().reshape(found.height, len(class_names))
    return KeptScores(class_names, found.drop("scores"), scores)
