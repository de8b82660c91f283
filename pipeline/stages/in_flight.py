"""How many rows a stage holds now, for the metrics."""

from collections.abc import Callable, Iterator

import pyarrow as pa

from laketag.pipeline.progress.metrics import gauge

Stage = Callable[[pa.Table], pa.Table | Iterator[pa.Table]]


def count_in_flight(name: str, collection: str, stage: Stage) -> Callable[[pa.Table], Iterator[pa.Table]]:
    """The stage, reporting its rows as in flight while it works on them; picklable if the stage is."""
    tags = {"collection": collection, "stage": name}

    def counted(batch: pa.Table) -> Iterator[pa.Table]:
        rows = gauge("laketag_rows_in_flight")
        rows.set(batch.num_rows, tags)
        try:
            made = stage(batch)
            yield from [made] if isinstance(made, pa.Table) else made
        finally:
            rows.set(0, tags)

    counted.__name__ = counted.__qualname__ = f"{name}_images"  # what Ray's dashboard shows
    return counted
