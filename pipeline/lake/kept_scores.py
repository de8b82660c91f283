"""Reading the scores of all classes that runs have kept (``laketag label --keep scores``)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float16

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_footer, scan_table
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Scores


@dataclass(frozen=True)
class KeptScores:
    """The scores in one file: a row for each image, a column for each class."""

    class_names: tuple[str, ...]
    rows: pl.DataFrame
    """image_id, uri, etag and run_id of the images, in the order of the scores."""
    scores: Float16[np.ndarray, "images classes"]


def read_scores(lake: Lake, runs: pl.DataFrame) -> Iterator[KeptScores]:
    """The scores that these runs (schemas.Runs) have kept, file by file, at most some 64 MiB at a time.

    Each labelled image of a run is there once; join with the rows of ``laketag.pipeline.lake.runs.scan_newest`` on
    ``image_id`` and ``run_id`` for the newest of each image. Runs without ``scores`` in their column ``keep`` have none.
    Of a run within an adaptive budget they are those of all crops, as far as the crops that were encoded tell; of one within a
    cascade some rows (``tier`` of the label) are cosines, which do not compare with the others.
    Scores are rounded to 11 bits; the exact score of the label is in the label's row.
    """
    named = runs["kept_files"].explode().drop_nulls().unique(maintain_order=True)
    for path in named.filter(named.str.starts_with("scores/")):
        url = f"{lake.root}/{path}"
        scan = scan_table([url], Scores, lake.storage)
        found = through_outages(
            url, lake.storage, scan.filter(pl.col("run_id").is_in(runs["run_id"].implode())).collect
        )
        class_names = tuple(json.loads(read_footer(url, lake.storage)["classes"]))
        if (found["scores"].list.len() != len(class_names)).any():
            raise InputError(
                f"{url}: has rows without a score for each of its {len(class_names)} classes; find out what changed it: "
                "laketag verify"
            )
        scores = found["scores"].explode().to_numpy().reshape(found.height, len(class_names))
        yield KeptScores(class_names, found.select("image_id", "uri", "etag", "run_id"), scores)
