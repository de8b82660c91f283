"""Label rows come with the scores of the same images, whichever runs have kept them, and no file of labels is read twice."""

from pathlib import Path

import polars as pl

from laketag.pipeline.lake.hashed_ids import version_key
from laketag.pipeline.lake.kept_scores import locate_scores, select_places
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import label_files, read_runs, scan_newest
from laketag.pipeline.lake.scored_labels import read_scored_labels
from tests.lake.full_lakes import label_night


def test_each_placed_label_comes_once_with_its_own_scores_and_label_files_are_read_before_the_first(
    lake: Lake,
) -> None:
    label_night(lake, {"a": "1", "b": "1", "c": "1"}, failed="c")
    label_night(lake, {"a": "2", "b": "1", "c": "1"})
    label_night(lake, {"a": "2", "b": "1", "c": "1", "d": "1"})
    runs = read_runs(lake)
    newest = scan_newest(lake, runs).select("image_id", "etag", "run_id").collect()
    wanted = newest.filter(pl.col("image_id") != "c")
    places = select_places(locate_scores(lake, runs), wanted)
    placed = wanted.with_columns(key=version_key()).join(places, on="key").drop("key")
    found = read_scored_labels(lake, runs, placed)
    pairs = [next(found)]
    for url in label_files(lake, runs):
        Path(url).unlink()
    pairs += found
    rows = [
        (*row, scores)
        for labels, kept in pairs
        for row, scores in zip(
            labels.select("image_id", "etag", "run_id").rows(), kept.scores.tolist(), strict=True
        )
    ]
    expected = [(*row, [1.0, 0.25 + ord(row[0])]) for row in wanted.rows()]
    assert sorted(rows) == sorted(expected)
    assert len(pairs) == 3, "a pair for each file of scores"
