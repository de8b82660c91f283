"""Label rows of earlier runs that a calibration decides anew, from the scores that were kept for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from laketag.pipeline.calibration.calibration import Calibration
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.hashed_ids import version_key
from laketag.pipeline.lake.kept_scores import locate_scores, select_places
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.scored_labels import read_scored_labels
from laketag.schemas import Labels

ROWS_AT_ONCE = 20_000
"""Labels that are decided anew together: a kB each, and 12 bytes a class."""


@dataclass(frozen=True)
class Redeciding:
    """The runs of a classifier, and the calibration that decides their labels anew in a further run."""

    lake: Lake
    runs: pl.DataFrame
    last: dict[str, Any]
    """The newest of them with the wanted set: a classifier is the same for sets with the same content."""
    calibration: Calibration
    run_id: str


def place_labels(lake: Lake, runs: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """The wanted rows with the ``file`` and ``row`` of their kept scores; an InputError if some have none."""
    places = select_places(locate_scores(lake, runs), wanted)
    if lacking := wanted.height - places.height:
        raise InputError(
            f"{lacking:,} of {wanted.height:,} labels have no kept scores, so what is accepted cannot be decided anew without "
            "their images; nothing was changed. Runs that label with --keep scores can be recalibrated later"
        )
    return wanted.with_columns(key=version_key()).join(places, on="key").drop("key")


def redecide_labels(redeciding: Redeciding, placed: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Label rows (schemas.Labels) of the new run, for the rows of laketag.pipeline.lake.scored_labels.

    Which run kept the scores makes no difference: they are of the same classifier and the same version of the image.
    """
    calibration = redeciding.calibration
    for rows, kept in read_scored_labels(redeciding.lake, redeciding.runs, placed):
        if kept.class_names != calibration.class_names:
            raise InputError(
                f"calibration {calibration.content_hash} is of other classes than the kept scores; calibrate again"
            )
        for start in range(0, rows.height, ROWS_AT_ONCE):
            scores = kept.scores[start : start + ROWS_AT_ONCE].astype(np.float32)
            yield _decide_rows(redeciding, rows.slice(start, ROWS_AT_ONCE), scores)


def _decide_rows(
    redeciding: Redeciding, rows: pl.DataFrame, scores: Float[np.ndarray, "images classes"]
) -> pl.DataFrame:
    """The rows, decided by the calibration."""
    calibration = redeciding.calibration
    tags = [[tag["label"] for tag in of_image] for of_image in rows["tags"]]
    decided = calibration.decide(scores, calibration.rule.share(scores), tags)
    schema = Labels.create_empty().schema
    columns = pl.DataFrame(decided, schema={name: schema[name] for name in decided[0]})
    stamp = {
        "run_id": pl.lit(redeciding.run_id),
        "labelled_at": pl.lit(datetime.now(UTC)).cast(schema["labelled_at"]),
    }
    made = rows.drop(columns.columns).hstack(columns).with_columns(**stamp)
    return made.select(schema.names())
