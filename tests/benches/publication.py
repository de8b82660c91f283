"""Seconds and peak memory of publishing a run out of parts of 128 rows, at growing numbers of rows, in a folder and on S3.

Each publication is a process of its own. ``LAKETAG_BENCH_ROWS`` names other numbers of rows, separated by commas.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.staging import Run, freeze_plan
from laketag.pipeline.lake.tables import encode_table
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.schemas import Labels, Plan
from tests.benches.many_rows import completed, index_blocks, label_some, peak_bytes
from tests.lake.run_rows import RUN
from tests.stores.store import new_bucket, s3_env

ROWS = tuple(
    int(rows) for rows in os.environ.get("LAKETAG_BENCH_ROWS", "50_000,200_000,1_000_000").split(",")
)
ROWS_PER_PART = 128
WRITERS = 4


def run() -> None:
    """Publish runs of growing size, and print a table."""
    from tests.benches.indexing import serve_s3  # imports torch, which a process that publishes does without

    table = Table("store", "rows", "parts", "seconds", "CPU seconds", "peak memory, GB")
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        for rows in ROWS:
            measured = measure(f"{name}/{rows}", rows)
            table.add_row("folder", f"{rows:,}", f"{-(-rows // ROWS_PER_PART):,}", *measured)
            with serve_s3(Path(name)) as (store, endpoint):
                os.environ.update(s3_env(endpoint))
                measured = measure(new_bucket(store, endpoint).url("lake"), rows)
            table.add_row(f"S3 ({store})", f"{rows:,}", f"{-(-rows // ROWS_PER_PART):,}", *measured)
    Console().print(table)


def measure(root: str, rows: int) -> list[str]:
    """Seconds, CPU seconds and peak memory of publishing a run of this number of rows into a lake at the root."""
    stage(root, rows)
    command = [sys.executable, "-m", __spec__.name, root, str(rows)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    print(root.partition("://")[0] if "://" in root else "folder", f"{rows:,}", *said, flush=True)
    return said


def stage(root: str, rows: int) -> None:
    """A run over this number of images is frozen in staging, and all its parts are there, in the order of the plan."""
    lake = lake_at(root)
    plan = pl.concat([completed(block, Plan) for block in index_blocks(rows)])
    freeze_plan(lake, planned(rows), plan)
    folder = f"{lake.staging(RUN.run_id)}/parts"

    def write(number: int) -> None:
        part = plan.slice(number * ROWS_PER_PART, ROWS_PER_PART)
        write_bytes(f"{folder}/{number:08}.parquet", encode_table(label_some(part), Labels), lake.storage)

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
