"""How many rows a stage holds now, for the metrics."""

from collections.abc import Callable
from functools import partial

import pyarrow as pa

from pipeline.metrics import gauge

Stage = Callable[[pa.Table], pa.Table]


def count_in_flight(name: str, collection: str, stage: Stage) -> Stage:
    """The stage, reporting its rows as in flight while it works on them; picklable if the stage is."""
    return partial(_run, stage=stage, tags={"collection": collection, "stage": name})


def _run(batch: pa.Table, *, stage: Stage, tags: dict[str, str]) -> pa.Table:
    rows = gauge("laketag_rows_in_flight")
    rows.set(batch.num_rows, tags)
    try:
        return stage(batch)
    finally:
        rows.set(0, tags)
