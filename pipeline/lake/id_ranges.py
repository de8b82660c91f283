"""The plan and the staged rows of a run by ranges of image ids: each part is read once, in bounded memory.

Rows are put into temporary files, one for each range, and each range fits into memory (an external distribution sort).
The files are in the folder that TMPDIR names, but have no name, so nothing is left of them however the process ends.
"""

import io
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.run_work import merge_work, sum_work
from laketag.pipeline.lake.staging import list_parts, list_plan
from laketag.pipeline.lake.tables import scan_table
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Labels, Plan, StagedLabels

ROWS_IN_MEMORY = 250_000
"""About how many label rows are held at a time; a kB each."""
BYTES_IN_MEMORY = 2**20
"""How much of each temporary file is kept in memory, so that small runs write none."""
MOST_RANGES = 256
"""Each has two open files. From 64 million images on, ranges grow."""
DRAWN_PER_RANGE = 1000
"""How many planned ids decide where a range ends."""

Select = Callable[[pl.LazyFrame], pl.LazyFrame]


class TemporaryRows:
    """Rows that are added batch by batch, and read together; compressed, and beyond BYTES_IN_MEMORY on disk."""

    def __init__(self, empty: pl.DataFrame) -> None:
        self._empty = empty
        self._sizes: list[int] = []
        self._file = tempfile.SpooledTemporaryFile(BYTES_IN_MEMORY)  # noqa: SIM115  # it lives as long as the object

    def add(self, rows: pl.DataFrame) -> None:
        """The rows are among them; a StorageError names a disk that is full."""
        buffer = io.BytesIO()
        rows.write_ipc(buffer, compression="zstd")
        with store_errors(tempfile.gettempdir()):
            self._file.write(buffer.getbuffer())
            self._file.flush()
        self._sizes.append(buffer.tell())

    def read(self, columns: Sequence[str] = ()) -> pl.DataFrame:
        """All rows, in the order in which they were added, with these columns; with all if none is named."""
        empty = self._empty.select(*columns) if columns else self._empty
        self._file.seek(0)
        batches = [pl.read_ipc(self._file.read(size), columns=empty.columns) for size in self._sizes]
        return pl.concat([empty, *batches])

    def close(self) -> None:
        """The rows are gone, and so is the space that they took."""
        self._file.close()


@dataclass(frozen=True)
class IdRange:
    """Images whose ids follow each other."""

    plan: TemporaryRows
    """image_id and etag of those that are planned."""
    rows: TemporaryRows
    """The staged rows (schemas.Labels), one for each try, also of images that are not planned."""


@dataclass(frozen=True)
class SplitRun:
    """What a run has staged."""

    ranges: list[IdRange]
    """In order; each possible id belongs to one of them."""
    work: pl.DataFrame
    """What all its rows have cost (laketag.pipeline.lake.run_work.sum_work)."""


@contextmanager
def split_staged(
    lake: Lake,
    run_id: str,
    planned: int,
    keep: Select = lambda rows: rows,
    rows_in_memory: int = ROWS_IN_MEMORY,
) -> Iterator[SplitRun]:
    """What a run with about ``planned`` images has staged now; ``keep`` selects the rows of the ranges.

    The parts are listed once: what is staged later is in no range.
    """
    plan, parts = list_plan(lake, run_id), list_parts(lake, run_id)
    count = min(MOST_RANGES, math.ceil(planned / rows_in_memory))
    bounds = _find_bounds(lake, plan, planned, count)
    with ExitStack() as opened:

        def open_rows(empty: pl.DataFrame) -> TemporaryRows:
            rows = TemporaryRows(empty)
            opened.callback(rows.close)
            return rows

        plan_keys = Plan.create_empty().select("image_id", "etag")
        ranges = [
            IdRange(open_rows(plan_keys), open_rows(Labels.create_empty())) for _ in range(len(bounds) + 1)
        ]
        for url in plan:
            keys = _read(lake, [url], Plan, lambda rows: rows.select(plan_keys.columns))
            for number, rows in _split(keys, bounds):
                ranges[number].plan.add(rows)
        parts_at_once = max(1, rows_in_memory * len(parts) // max(1, planned))
        work = [sum_work(StagedLabels.create_empty())]
        for start in range(0, len(parts), parts_at_once):
            staged = _read(lake, parts[start : start + parts_at_once], StagedLabels, lambda rows: rows)
            work.append(sum_work(staged))
            kept = keep(staged.lazy().drop("work")).collect()
            for number, rows in _split(kept, bounds):
                ranges[number].rows.add(rows)
        yield SplitRun(ranges, merge_work(pl.concat(work)))


def _find_bounds(lake: Lake, plan: Sequence[str], planned: int, count: int) -> pl.Series:
    """The first id of each of ``count`` ranges but the first, sorted: quantiles of a sample of the planned ids."""
    if count <= 1 or not plan:
        return pl.Series("image_id", dtype=pl.String)
    step = max(1, planned // (count * DRAWN_PER_RANGE))
    draw = pl.col("image_id").gather_every(step)
    drawn = [_read(lake, [url], Plan, lambda rows: rows.select(draw)) for url in plan]
    ids = pl.concat(drawn)["image_id"].sort()
    return ids.gather([number * ids.len() // count for number in range(1, count)]).unique().sort()


def _split(rows: pl.DataFrame, bounds: pl.Series) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows of each range that has any, with its number."""
    numbers = bounds.search_sorted(rows["image_id"], side="right").alias("range")
    for (number,), part in (
        rows.with_columns(numbers).partition_by("range", as_dict=True, include_key=False).items()
    ):
        yield int(number), part


def _read(lake: Lake, urls: Sequence[str], schema: type[dy.Schema], select: Select) -> pl.DataFrame:
    """The selected rows of the files; scanned anew for each try, because a scan holds the credentials of its time."""
    return through_outages(
        lake.root, lake.storage, lambda: select(scan_table(urls, schema, lake.storage)).collect()
    )
