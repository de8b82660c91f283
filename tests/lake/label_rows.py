"""Rows of the index and label tables for tests that need a lake but no model."""

from datetime import UTC, datetime, timedelta

import polars as pl

from laketag.schemas import ImageIndex, Labels, Plan, Scores

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def index_rows(ids: str | list[str], etag: str = "v1") -> pl.DataFrame:
    """One row of schemas.ImageIndex for each id, or for each letter."""
    rows = [(image_id, f"/images/{image_id}.png", etag, 10, None, None) for image_id in ids]
    return pl.DataFrame(rows, schema=ImageIndex.create_empty().schema, orient="row")


def plan_rows(ids: str | list[str]) -> pl.DataFrame:
    """One row of schemas.Plan for each id, or for each letter."""
    rows = index_rows(ids).with_columns(earlier_attempts=pl.lit(None, pl.Int32))
    return rows.select(Plan.column_names())


def label_row(
    image_id: str,
    *,
    etag: str = "v1",
    label: str | None = "cat",
    probability: float = 0.75,
    failure: str | None = None,
    run_id: str = "r",
    age_s: int = 0,
) -> dict[str, object]:
    """One row of schemas.Labels: a label, or a failure where one is named."""
    row: dict[str, object] = dict.fromkeys(Labels.column_names()) | {
        "image_id": image_id,
        "uri": f"/images/{image_id}.png",
        "etag": etag,
        "attempts": 1,
        "run_id": run_id,
        "labelled_at": EPOCH - timedelta(seconds=age_s),
    }
    if failure is not None:
        return row | {"failure": failure, "failure_detail": "made for a test"}
    return row | {
        "label": label,
        "probability": probability,
        "score": 12.5,
        "margin": 1.5,
        "tags": [
            {"label": label, "probability": probability},
            {"label": "other", "probability": 1 - probability},
        ],
        "evidence": {"x0_px": 0, "y0_px": 0, "x1_px": 4, "y1_px": 4, "description": "a photo of a cat."},
        "width_px": 4,
        "height_px": 4,
    }


def score_frame(labels: pl.DataFrame) -> pl.DataFrame:
    """A row of schemas.Scores for each labelled row: the scores of two classes, which tell images apart."""
    rows = labels.filter(pl.col("label").is_not_null())
    scores = [[float(len(name)), 0.25 + ord(name[0])] for name in rows["image_id"]]
    return rows.select(name for name in Scores.column_names() if name != "scores").with_columns(
        scores=pl.Series(scores, dtype=pl.List(pl.Float16))
    )


def label_frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    """The rows as a frame of schemas.Labels."""
    return pl.DataFrame(rows, schema=Labels.create_empty().schema)
