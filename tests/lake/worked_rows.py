"""Staged rows that note what they have cost."""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from laketag.schemas import StagedLabels
from tests.lake.label_rows import EPOCH, label_frame, label_row


def worked_rows(
    ids: Sequence[str], *, start_s: float = 0, began_s: float = 10, seconds: float = 2, actor: str = "node/1"
) -> pl.DataFrame:
    """A label for each id: one batch, of a process that began ``start_s`` after EPOCH, from ``began_s`` after that on.

    The model took all of the ``seconds`` until the batch was staged, fetching as long, and decoding half.
    """
    start_at = EPOCH + timedelta(seconds=start_s)
    began_at = start_at + timedelta(seconds=began_s)
    each_s = seconds / max(1, len(ids))
    work = {
        "actor": actor,
        "fetched_bytes": 1000,
        "fetch_s": each_s,
        "decode_s": each_s / 2,
        "label_s": each_s,
        "start_at": start_at,
        "fetch_slots": 2,
        "decode_slots": 4,
        "staged_at": began_at + timedelta(seconds=seconds),
    }
    rows = label_frame([label_row(image_id) for image_id in ids]).with_columns(labelled_at=began_at)
    return rows.with_columns(
        work=pl.Series([work] * len(ids), dtype=StagedLabels.create_empty().schema["work"])
    )
