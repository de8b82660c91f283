"""Seconds and peak memory of publishing a run out of parts of 128 rows, at growing numbers of rows, in a folder and on S3.

Each publication is a process of its own.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.run_work import Start
from laketag.pipeline.lake.staging import Run, freeze_plan
from laketag.pipeline.lake.tables import encode_table
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.schemas import Plan, StagedLabels
from tests.benches.many_rows import completed, index_blocks, label_some, peak_bytes
from tests.benches.rows import Row
from tests.lake.label_rows import EPOCH
from tests.lake.run_rows import RUN
from tests.stores.store import new_bucket, s3_env

ROWS_PER_PART = 128
WRITERS = 4


@dataclass(frozen=True)
class Publication:
    """What publishing a run has taken."""

    rows: int
    seconds: float
    cpu_s: float
    peak_gb: float

    def __str__(self) -> str:
        return (
            f"{self.rows:,} rows: {self.seconds:.1f} s, {self.cpu_s:.1f} s of CPU, peak {self.peak_gb:.2f} GB"
        )


def compare_sizes(*sizes: int) -> Iterator[Row]:
    """CPU seconds of publishing more and more rows, in a folder: their ratio is that of the rows if it is linear."""
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        done: list[Publication] = []
        for rows in sizes:
            done.append(measure(f"{name}/{rows}", rows))
            if len(done) > 1:
                yield _compare(f"publication, folder: {done[-2].rows:,} → {rows:,} rows", done[-2], done[-1])


def compare_stores(rows: int = 1_000_000) -> Iterator[Row]:
    """Publishing the same rows in a folder and on an S3 server of this machine."""
    from tests.benches.indexing import serve_s3  # imports torch, which a process that publishes does without

    with (
        tempfile.TemporaryDirectory(prefix="laketag-bench-") as name,
        serve_s3(Path(name)) as (server, endpoint),
    ):
        in_folder = measure(f"{name}/folder", rows)
        os.environ.update(s3_env(endpoint))
        on_s3 = measure(new_bucket(server, endpoint).url("lake"), rows)
        yield _compare(f"publication of {rows:,} rows: folder → S3 ({server})", in_folder, on_s3)


def _compare(what: str, before: Publication, after: Publication) -> Row:
    return Row(
        what=what,
        without=f"{before.seconds:.1f} s",
        with_=f"{after.seconds:.1f} s",
        ratio=f"{after.cpu_s / before.cpu_s:.2f} of CPU",
        note=f"{before}; {after}",
    )


def measure(root: str, rows: int) -> Publication:
    """What publishing a run of this number of rows takes, in a lake at the root and in a process of its own."""
    stage(root, rows)
    command = [sys.executable, "-m", "tests.benches.publication", root, str(rows)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    done = Publication(rows, *map(float, said))
    print(f"# {done}", flush=True)
    return done


def stage(root: str, rows: int) -> None:
    """A run over this number of images is frozen in staging, and all its parts are there, in the order of the plan."""
    lake = lake_at(root)
    plan = pl.concat([completed(block, Plan) for block in index_blocks(rows)])
    start, now = Start(EPOCH, fetch_slots=1, decode_slots=1), datetime.now(UTC)
    freeze_plan(lake, planned(rows), plan)
    folder = f"{lake.staging(RUN.run_id)}/parts"

    def write(number: int) -> None:
        labels = label_some(plan.slice(number * ROWS_PER_PART, ROWS_PER_PART))
        seconds = {f"{stage}_s": 0.01 * (1 + number % 7) for stage in ("fetch", "decode", "label")}
        costs = {name: pl.lit(value) for name, value in seconds.items()} | {"fetched_bytes": pl.lit(40_000)}
        noted = start.note(labels.with_columns(actor=pl.lit(f"node/{number % 4}"), **costs), now)
        write_bytes(f"{folder}/{number:08}.parquet", encode_table(noted, StagedLabels), lake.storage)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(-(-rows // ROWS_PER_PART))))


def planned(rows: int) -> Run:
    return replace(RUN, index_rows=rows, planned=rows, rows_per_file=100_000)


def lake_at(root: str) -> Lake:
    return open_lake(root, read_settings().storage)


def publish_all(root: str, rows: int) -> None:
    """The staged run is published; prints seconds, CPU seconds and peak memory."""
    lake = lake_at(root)
    began, cpu_began_s = time.perf_counter(), time.process_time()
    with hold_lease(lake, "bench") as lease:
        assert publish(lake, planned(rows), lease)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began_s
    print(f"{seconds:.1f} {cpu_s:.1f} {peak_bytes() / 1e9:.2f}")


if __name__ == "__main__":
    publish_all(sys.argv[1], int(sys.argv[2]))
