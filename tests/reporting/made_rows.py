"""Random label rows with true classes, for tests that compare frames with plain loops."""

import random
from typing import Any

import polars as pl

from laketag.schemas import NONE_OF_THESE, Labels
from tests.lake.label_rows import label_row

CLASSES = ("cat", "dog", "bird", "fish")


def random_rows(number: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of schemas.Labels with ``true_class``, which two thirds have, and ``status``.

    A tenth have failed, and a tenth of the others are none of these.
    """
    rng = random.Random(seed)
    rows = []
    for position in range(number):
        failure = rng.choice(["timeout", "empty"]) if rng.random() < 0.1 else None
        first, second = rng.sample(CLASSES, 2)
        share = rng.uniform(0.5, 0.99)
        row = label_row(f"{position:06}", label=first, probability=share, failure=failure, age_s=-position)
        if failure is None:
            row["margin"] = rng.uniform(0, 9)
            row["tags"] = [
                {"label": first, "probability": share},
                {"label": second, "probability": (1 - share) * rng.random()},
            ]
            if rng.random() < 0.1:
                row |= {"label": NONE_OF_THESE, "probability": None}
        true_class = rng.choice([first, *CLASSES]) if rng.random() < 2 / 3 else None
        rows.append(row | {"true_class": true_class, "status": rng.choice(["current", "current", "stale"])})
    return rows


def as_frame(rows: list[dict[str, Any]]) -> pl.LazyFrame:
    """The rows as reports get them."""
    schema = {**Labels.create_empty().schema, "true_class": pl.String, "status": pl.String}
    return pl.DataFrame(rows, schema=schema).lazy().with_columns(pl.col("failure").cast(pl.String))
