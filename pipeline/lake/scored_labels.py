"""Label rows together with the scores that were kept for them: each file of both tables is read once, in bounded memory."""

import math
from collections.abc import Iterator
from contextlib import ExitStack

import polars as pl

from laketag.pipeline.lake.id_ranges import MOST_RANGES, TemporaryRows
from laketag.pipeline.lake.kept_scores import KeptScores, read_score_file, score_files
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import label_files
from laketag.pipeline.lake.tables import scan_table
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Labels

ROW = ["image_id", "etag", "run_id"]


def read_scored_labels(
    lake: Lake, runs: pl.DataFrame, placed: pl.DataFrame
) -> Iterator[tuple[pl.DataFrame, KeptScores]]:
    """Label rows (schemas.Labels) and the scores of the same images in the same order, by files of scores.

    ``placed`` names each row by image_id, etag and run_id, and its scores by ``file`` and ``row``, as
    laketag.pipeline.lake.kept_scores.locate_scores does. Rows are put into temporary files first, one for each file of
    scores, so at a time there are in memory a file of labels, or the labels of one file of scores: as many as fit into 64 MiB
    with their scores, a kB each.
    """
    files = score_files(lake, runs)
    files_at_once = max(1, math.ceil(len(files) / MOST_RANGES))
    placed = placed.select(*ROW, "file", "row", group=pl.col("file") // files_at_once).sort("image_id")
    with ExitStack() as opened:
        groups: dict[int, TemporaryRows] = {}
        for url in label_files(lake, runs):
            rows = _read_placed(lake, url, placed)
            for (number,), part in rows.partition_by("group", as_dict=True, include_key=False).items():
                group = int(number)
                if group not in groups:
                    groups[group] = TemporaryRows(part.clear())
                    opened.callback(groups[group].close)
                groups[group].add(part)
        for held in groups.values():
            for (number,), of_file in held.read().partition_by("file", as_dict=True).items():
                kept = read_score_file(lake, files[int(number)], of_file["row"])
                yield of_file.drop("file", "row"), kept


def _read_placed(lake: Lake, url: str, placed: pl.DataFrame) -> pl.DataFrame:
    """The placed rows of a file of labels. Only those near its ids are compared, because both are sorted by id."""
    rows = through_outages(url, lake.storage, lambda: scan_table([url], Labels, lake.storage).collect())
    ids = placed["image_id"]
    start = ids.search_sorted(str(rows["image_id"].min()), side="left")
    stop = ids.search_sorted(str(rows["image_id"].max()), side="right")
    return rows.join(placed.slice(start, stop - start), on=ROW)
