"""Published label files: what a run's row says of each, so that ``laketag verify`` finds a file that was changed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import encode_table
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.schemas import Labels


@dataclass(frozen=True)
class LabelFile:
    """A label file as the rows of runs name it; runs that were published by earlier versions say only the path."""

    path: str
    """Relative to the root of the lake."""
    rows: int | None
    """Of all runs that share the file."""
    sha256: str | None


def write_label_file(lake: Lake, url: str, rows: pl.DataFrame) -> LabelFile:
    """The file holds the rows, which must keep the contract of schemas.Labels already."""
    return store_label_file(lake, url, encode_table(rows, Labels), rows.height)


def store_label_file(lake: Lake, url: str, data: bytes, rows: int) -> LabelFile:
    """The file has this content, a table with this number of rows."""
    write_bytes(url, data, lake.storage)
    return LabelFile(url.removeprefix(f"{lake.root}/"), rows, hashlib.sha256(data).hexdigest())


def file_columns(files: Sequence[LabelFile]) -> dict[str, list[Any]]:
    """The files as columns of a run's row."""
    return {
        "files": [file.path for file in files],
        "file_rows": [file.rows for file in files],
        "file_sha256": [file.sha256 for file in files],
    }


def files_of(run: dict[str, Any]) -> list[LabelFile]:
    """The label files that a run's row (schemas.Runs) names."""
    paths = run["files"]
    unknown = [None] * len(paths)
    columns = (paths, run["file_rows"] or unknown, run["file_sha256"] or unknown)
    return [LabelFile(*entry) for entry in zip(*columns, strict=True)]
