"""Rows of the label and plan tables for tests that need a lake but no model."""

from datetime import UTC, datetime, timedelta

import polars as pl

from laketag.schemas import ImageIndex, Labels

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def index_rows(ids: list[str], etag: str = "v1") -> pl.DataFrame:
    """One row of schemas.ImageIndex for each id."""
    return (
        pl.DataFrame(
            {"image_id": ids, "uri": [f"/images/{i}.png" for i in ids], "etag": [etag] * len(ids)},
            schema_overrides={"image_id": pl.String, "uri": pl.String, "etag": pl.String},
        )
        .with_columns(size_bytes=pl.lit(10, pl.Int64), true_class=pl.lit(None, pl.String))
        .select(ImageIndex.column_names())
    )


def label_row(
    image_id: str,
    *,
    etag: str = "v1",
    label: str | None = "cat",
    failure: str | None = None,
    run_id: str = "r",
    age_s: int = 0,
) -> dict[str, object]:
    """One row of schemas.Labels: a label, or a failure where one is named."""
    good = failure is None
    label = label if good else None
    return {
        "image_id": image_id,
        "uri": f"/images/{image_id}.png",
        "etag": etag,
        "label": label,
        "probability": 0.75 if good else None,
        "score": 12.5 if good else None,
        "margin": 1.5 if good else None,
        "tags": [{"label": label, "probability": 0.75}, {"label": "other", "probability": 0.25}]
        if good
        else None,
        "evidence": {"x0_px": 0, "y0_px": 0, "x1_px": 4, "y1_px": 4, "description": "a photo of a cat."}
        if good
        else None,
        "width_px": 4 if good else None,
        "height_px": 4 if good else None,
        "failure": failure,
        "failure_detail": None if good else "made for a test",
        "attempts": 1,
        "run_id": run_id,
        "labelled_at": EPOCH - timedelta(seconds=age_s),
    }


def label_frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    """The rows as a frame that keeps the contract."""
    return Labels.validate(pl.DataFrame(rows, schema=Labels.create_empty().schema))
