"""How a lake of many nights is read before and after compaction, and what verify needs at millions of rows."""

import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from fsspec.implementations.local import LocalFileSystem

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.compaction import MERGED_ROWS, compact
from laketag.pipeline.lake.label_files import LabelFile, file_columns, write_run_file
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_run_table
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.lake.staging import Run
from laketag.pipeline.lake.tables import create_table
from laketag.pipeline.lake.verification import verify
from laketag.schemas import ImageIndex, Labels, Runs
from tests.lake.label_rows import label_row
from tests.lake.pets import write_pets
from tests.lake.run_rows import RUN


def write_nights(lake: Lake, nights: int, rows_per_night: int) -> None:
    """A lake of many nights, each with new images; all of them were planned from one snapshot."""
    ids = pl.Series("image_id", [f"{number:032x}" for number in range(rows_per_night)])
    every = pl.concat([_names(f"{number:04d}", ids) for number in range(nights)])
    index = every.with_columns(uri=pl.format("s3://bucket/images/{}.jpg", "image_id"), etag=pl.lit("v1"))
    snapshot = write_snapshot(
        lake, RUN.collection, [pl.concat([ImageIndex.create_empty(), index], how="diagonal_relaxed")]
    )
    version = write_pets(lake, "f00d", RUN.description_set).version
    for number in range(nights):
        finished = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        run = replace(
            RUN,
            run_id=f"{finished:%Y%m%dT%H%M%S}.000000Z-f00d",
            snapshot=snapshot.name,
            description_version=version,
            index_rows=every.height,
            already_done=number * rows_per_night,
            left=(nights - number - 1) * rows_per_night,
            planned=rows_per_night,
        )
        files = [
            write_run_file(
                lake,
                f"{lake.labels(run.collection, run.classifier, run.run_id)}/part-{part:05d}.parquet",
                _label_rows(f"{number:04d}", ids.slice(part * MERGED_ROWS, MERGED_ROWS), run.run_id),
            )
            for part in range(-(-rows_per_night // MERGED_ROWS))
        ]
        _write_run(lake, run, files, finished)


def _names(night: str, ids: pl.Series) -> pl.DataFrame:
    return pl.DataFrame(ids).select(pl.format("{}{}", pl.lit(night), "image_id").alias("image_id"))


def _label_rows(night: str, ids: pl.Series, run_id: str) -> pl.DataFrame:
    row = pl.DataFrame([label_row("a", run_id=run_id)], schema=Labels.create_empty().schema)
    rows: pl.DataFrame = (
        _names(night, ids).join(row.drop("image_id"), how="cross").select(Labels.column_names())
    )
    return rows.with_columns(uri=pl.format("s3://bucket/images/{}.jpg", "image_id"))


def _write_run(lake: Lake, run: Run, files: list[LabelFile], finished: datetime) -> None:
    row = asdict(run) | file_columns(files) | {
        "labelled": run.planned,
        "failures": [],
        "started_at": finished,
        "finished_at": finished,
        "images_per_s": 1.0,
        "writer": "bench",
        "laketag_version": "0",
    }  # fmt: skip
    create_table(
        pl.DataFrame([row], schema=Runs.create_empty().schema), lake.run(run.run_id), Runs, lake.storage
    )


def time_summary(lake: Lake) -> str:
    """How long a summary takes, and how many files of the table of runs it reads."""
    reads = []
    read = LocalFileSystem.cat_file

    def counted(self: LocalFileSystem, path: str, *arguments: object, **options: object) -> bytes:
        reads.append(path)
        return bytes(read(self, path, *arguments, **options))

    LocalFileSystem.cat_file = counted
    try:
        began_s = time.perf_counter()
        images = queries.summary(lake.root).collect()["images"].sum()
        took_s = time.perf_counter() - began_s
    finally:
        LocalFileSystem.cat_file = read
    runs = sum("/runs/" in path for path in reads)
    return f"{images:,} images, {runs:,} reads of the table of runs, {took_s:.2f} s"


def run(nights: int = 365, rows: int = 10_000_000) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        lake = open_lake(folder, StorageSettings())
        write_nights(lake, nights, 200)
        print(f"{nights} nights: {time_summary(lake)}", flush=True)
        began_s = time.perf_counter()
        with hold_lease(lake, "bench") as lease:
            merged = compact(lake, read_run_table(lake), lease)
        print(f"compact: {merged} files merged in {time.perf_counter() - began_s:.1f} s")
        print(f"compacted: {time_summary(lake)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write_nights(open_lake(folder, StorageSettings()), 1, rows)
        subprocess.run([sys.executable, "-m", "tests.benches.upkeep", folder], check=True)


def verify_alone(root: str) -> None:
    """Print what verify needs, in a process of its own."""
    began_s = time.perf_counter()
    found = verify(open_lake(root, StorageSettings()))
    took_s = time.perf_counter() - began_s
    status = Path("/proc/self/status").read_text(
        encoding="utf-8"
    )  # ru_maxrss is that of the parent, if it was larger
    peak_mib = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
    print(f"verify: {found.rows:,} rows, {len(found.faults)} faults, {took_s:.1f} s, {peak_mib:.0f} MiB")


if __name__ == "__main__":
    verify_alone(sys.argv[1])
