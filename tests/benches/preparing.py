"""CPU time that one image costs before the label actor sees it: fetched from S3 and decoded, by size of the picture.

Seconds of CPU, and not of the clock: how long the network takes is no matter of cores. The server is another process.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import polars as pl
from rich.console import Console
from rich.table import Table

from laketag.pipeline.config import Settings
from laketag.pipeline.flows.index_images import IndexRequest, index_images
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.snapshots import scan_snapshot
from laketag.pipeline.stages.decode_images import decode_images
from laketag.pipeline.stages.fetch_images import fetch_images
from tests.benches.lakes import write_pictures
from tests.stores.moto_server import serve_moto
from tests.stores.store import new_bucket, s3_env

SIZES_PX = {(500, 375): 128, (1280, 960): 64, (1920, 1280): 32, (4000, 3000): 8}
"""Size → how many pictures are measured, after as many to warm up."""
ROUNDS = 3
Result = TypeVar("Result")


def run() -> None:
    """Measure each size on moto and print a table."""
    table = Table("JPEG", "MB", "fetch, CPU ms", "decode, CPU ms", "together, CPU s")
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        folder = Path(name)
        with serve_moto(folder) as url, patch.dict(os.environ, s3_env(url)):
            store = new_bucket("moto", url)
            settings = Settings(storage=store.storage)
            lake = open_lake(store.url("lake"), store.storage)
            for (width, height), count in SIZES_PX.items():
                write_pictures(folder / f"{width}", count, (width, height))
                for file in (folder / f"{width}").iterdir():
                    store.put(f"images/{width}/{file.name}", file.read_bytes())
                request = IndexRequest(
                    source=Source(url=store.url(f"images/{width}")), collection=f"c{width}"
                )
                indexed = index_images(lake, request)
                rows = (
                    scan_snapshot(lake, indexed.snapshot)
                    .select("image_id", "uri", "etag", "size_bytes")
                    .collect()
                )
                fetch_s, decode_s = measure(rows, settings)
                table.add_row(
                    f"{width}×{height}",
                    f"{rows['size_bytes'].mean() / 1e6:.2f}",  # type: ignore[operator]  # polars: of any column
                    f"{1000 * fetch_s:.1f}",
                    f"{1000 * decode_s:.1f}",
                    f"{fetch_s + decode_s:.4f}",
                )
    Console().print(table)


def measure(rows: pl.DataFrame, settings: Settings) -> tuple[float, float]:
    """CPU seconds an image to fetch and to decode: the least of some rounds, as other work only adds."""
    plan = rows.to_arrow()
    fetched = fetch_images(plan, fetch=settings.fetch, storage=settings.storage)
    assert fetched["failure"].null_count == rows.height
    fetch_s = min(
        _cpu_s(lambda: fetch_images(plan, fetch=settings.fetch, storage=settings.storage))
        for _ in range(ROUNDS)
    )
    decode_s = min(_cpu_s(lambda: decode_images(fetched, decode=settings.decode)) for _ in range(ROUNDS))
    return fetch_s / rows.height, decode_s / rows.height


def _cpu_s(work: Callable[[], Result]) -> float:
    """CPU seconds of all threads of this process during the work."""
    began = time.process_time()
    work()
    return time.process_time() - began
