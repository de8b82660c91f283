"""Seconds and peak memory of what a run does with all rows of a collection at once, at 10 million rows in a folder.

Each step is a process of its own: planning a first run, planning what one and two runs have left, and the index of a Parquet
table. The bench ``publication`` measures the rest.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import dataframely as dy
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.flows.index_images import IndexRequest, index_images
from laketag.pipeline.images.index_columns import IndexColumns
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.lake.label_files import LabelFile, file_columns, write_run_file
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.snapshots import latest_snapshot, write_snapshot
from laketag.pipeline.lake.staging import Run, freeze_plan, scan_plan
from laketag.pipeline.lake.tables import create_table
from laketag.schemas import ImageIndex, Labels, Runs
from tests.lake.label_rows import EPOCH
from tests.lake.run_rows import RUN

ROWS = int(os.environ.get("LAKETAG_BENCH_ROWS", "10_000_000"))
ROWS_PER_FILE = 100_000
BLOCK = 500_000


def run() -> None:
    """Take the steps one after the other, and print a table."""
    table = Table("step", "seconds", "CPU seconds", "peak memory, GB")
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as folder:
        for step in STEPS:
            began = time.perf_counter()
            command = [sys.executable, "-m", __spec__.name, step, folder]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
            print(step, *said, f"(whole process {time.perf_counter() - began:.0f} s)", flush=True)
            if not step.startswith("make"):
                table.add_row(step, *said)
    Console().print(table)


def make_index(folder: Path) -> None:
    write_snapshot(lake_in(folder), RUN.collection, index_blocks())


def index_blocks(count: int = ROWS) -> Iterator[pl.DataFrame]:
    """Rows with random ids, as those of a listing: in the order of the URIs."""
    rng = np.random.default_rng(0)
    for start in range(0, count, BLOCK):
        rows = min(BLOCK, count - start)
        digits = rng.bytes(16 * rows).hex()
        frame = pl.DataFrame(
            {
                "image_id": [digits[at : at + 32] for at in range(0, 32 * rows, 32)],
                "uri": [
                    f"s3://some-bucket/some/prefix/{number:012}.jpg" for number in range(start, start + rows)
                ],
                "etag": [digits[at : at + 32] for at in range(0, 32 * rows, 32)][::-1],
                "size_bytes": rng.integers(10_000, 1_000_000, rows),
                "true_class": ["cat"] * rows,
            }
        )
        yield completed(frame, ImageIndex)


def completed(frame: pl.DataFrame, schema: type[dy.Schema]) -> pl.DataFrame:
    """The frame with all columns of the schema; those that it lacks are null."""
    dtypes = schema.create_empty().schema
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in dtypes.items()
    )


def plan_all(folder: Path) -> None:
    lake = lake_in(folder)
    found = find_pending(lake, latest_snapshot(lake, RUN.collection), read_runs(lake))
    freeze_plan(lake, planned_run(), found.rows)


def planned_run() -> Run:
    return replace(RUN, index_rows=ROWS, planned=ROWS)


def make_runs(folder: Path) -> None:
    """Two finished runs with made-up labels: one over all images, and one over each 17th of them. One row in a hundred fails."""
    lake = lake_in(folder)
    planned = scan_plan(lake, RUN.run_id).collect().sort("image_id")
    write_run(lake, 1, planned, "timeout")
    write_run(lake, 2, planned.gather_every(17), "truncated")


def write_run(lake: Lake, number: int, planned: pl.DataFrame, reason: str) -> None:
    """The number-th run is finished, and has labelled the rows of its plan, or failed for the reason."""
    run = replace(RUN, run_id=f"2026010{number}T000000.000000Z-f00d", index_rows=ROWS, planned=planned.height)
    folder = lake.labels(run.collection, run.classifier, run.run_id)
    files: list[LabelFile] = []
    failed = 0
    for part in planned.iter_slices(ROWS_PER_FILE):
        rows = label_some(part)
        failed += part.height - rows["failure"].null_count()
        fails = pl.when(pl.col("failure").is_not_null()).then(pl.lit(reason)).cast(rows.schema["failure"])
        rows = rows.with_columns(failure=fails, run_id=pl.lit(run.run_id))
        files.append(write_run_file(lake, f"{folder}/part-{len(files):05d}.parquet", rows))
    row = asdict(run) | {
        "labelled": planned.height - failed,
        "failures": [{"reason": reason, "images": failed}],
        **file_columns(files),
        "started_at": EPOCH + timedelta(days=number),
        "finished_at": EPOCH + timedelta(days=number, hours=1),
        "images_per_s": 1.0,
        "writer": "w",
        "laketag_version": "0",
    }
    rows = pl.DataFrame([row], schema=Runs.create_empty().schema)
    create_table(rows, lake.run(run.run_id), Runs, lake.storage)


def label_some(plan: pl.DataFrame) -> pl.DataFrame:
    """Label rows with the texts and numbers of real ones, the same for each part."""
    made = made_labels(plan.height)
    return completed(pl.concat([plan.select("image_id", "uri", "etag"), made], how="horizontal"), Labels)


@cache
def made_labels(rows: int) -> pl.DataFrame:
    """The columns of label rows that are not those of the plan."""
    rng = np.random.default_rng(0)
    classes = [f"class {number}" for number in range(100)]
    names = [[classes[(start + 7 * rank) % 100] for rank in range(5)] for start in rng.integers(0, 100, rows)]
    shares = np.sort(rng.dirichlet(np.ones(5), rows), axis=1)[:, ::-1].tolist()
    text = "A photo of a {} with its usual shape and colour."
    whole: dict[str, Any] = {
        "label": [row[0] for row in names],
        "probability": [row[0] for row in shares],
        "score": rng.random(rows),
        "margin": rng.random(rows),
        "tags": [
            [{"label": label, "probability": share} for label, share in zip(*row, strict=True)]
            for row in zip(names, shares, strict=True)
        ],
        "evidence": [
            {"x0_px": 1, "y0_px": 2, "x1_px": 300, "y1_px": 200, "description": text.format(row[0])}
            for row in names
        ],
        "width_px": [640] * rows,
        "height_px": [480] * rows,
    }
    schema = Labels.create_empty().schema
    frame = pl.DataFrame(
        {name: pl.Series(values, dtype=schema[name], strict=False) for name, values in whole.items()}
    )
    fails = pl.int_range(pl.len()) % 100 == 99
    return frame.select(
        *(pl.when(~fails).then(pl.col(name)).alias(name) for name in whole),
        failure=pl.when(fails).then(pl.lit("truncated")).cast(schema["failure"]),
        failure_detail=pl.when(fails).then(pl.lit("OSError: image file is truncated")),
        attempts=pl.lit(1, pl.Int32),
        run_id=pl.lit(RUN.run_id),
        labelled_at=pl.lit(datetime.now(UTC)),
    )


def plan_after_one_run(folder: Path) -> None:
    plan_rest(folder, 1)


def plan_after_two_runs(folder: Path) -> None:
    plan_rest(folder, 2)


def plan_rest(folder: Path, runs: int) -> None:
    """The images whose newest row is a failure that may pass are planned."""
    lake = lake_in(folder)
    found = find_pending(lake, latest_snapshot(lake, RUN.collection), read_runs(lake).head(runs))
    assert 0 < found.rows.height <= ROWS // 100


def make_table(folder: Path) -> None:
    """A Parquet table of the images, as a source."""
    (folder / "table").mkdir()
    for number, block in enumerate(index_blocks()):
        block.select("uri", "etag").write_parquet(folder / "table" / f"{number:05}.parquet")


def index_table(folder: Path) -> None:
    source = Source(url=str(folder / "table"), kind="table", columns=IndexColumns(etag="etag"))
    index_images(lake_in(folder), IndexRequest(source=source, collection="table"))


def peak_bytes() -> int:
    """The most memory that this process has held; ``ru_maxrss`` also counts its parent's at the fork."""
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line for line in status if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024


def lake_in(folder: Path) -> Lake:
    return open_lake(str(folder / "lake"), StorageSettings())


STEPS: dict[str, Callable[[Path], None]] = {
    step.__name__: step
    for step in (
        make_index, plan_all, make_runs, plan_after_one_run, plan_after_two_runs, make_table, index_table,
    )
}  # fmt: skip


if __name__ == "__main__":
    began = time.perf_counter()
    STEPS[sys.argv[1]](Path(sys.argv[2]))
    print(f"{time.perf_counter() - began:.1f} {time.process_time():.1f} {peak_bytes() / 1e9:.1f}")
