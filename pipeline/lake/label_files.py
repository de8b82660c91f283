"""Published files of labels and of what is kept beside them: what a run's row says of each, so that ``laketag verify`` finds
a file that was changed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dataframely as dy
import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import encode_table
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.schemas import Labels


@dataclass(frozen=True)
class LabelFile:
    """A file as the rows of runs name it; runs that were published by earlier versions say only the path."""

    path: str
    """Relative to the root of the lake."""
    rows: int | None
    """Of all runs that share the file."""
    sha256: str | None


def write_run_file(
    lake: Lake,
    url: str,
    rows: pl.DataFrame,
    schema: type[dy.Schema] = Labels,
    footer: Mapping[str, str] | None = None,
) -> LabelFile:
    """The file holds the rows, which must keep the contract already, and these footer entries."""
    return store_run_file(lake, url, encode_table(rows, schema, footer), rows.height)


def store_run_file(lake: Lake, url: str, data: bytes, rows: int) -> LabelFile:
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


def kept_columns(files: Sequence[LabelFile]) -> dict[str, list[Any]]:
    """The files of kept tables as columns of a run's row."""
    return {f"kept_{name}": column for name, column in file_columns(files).items()}


def kept_files_of(run: dict[str, Any]) -> list[LabelFile]:
    """The files of kept tables that a run's row (schemas.Runs) names."""
    columns = (run[name] or [] for name in ("kept_files", "kept_file_rows", "kept_file_sha256"))
    return [LabelFile(*entry) for entry in zip(*columns, strict=True)]


def files_of(run: dict[str, Any]) -> list[LabelFile]:
    """The label files that a run's row (schemas.Runs) names."""
    paths = run["files"]
    unknown = [None] * len(paths)
    columns = (paths, run["file_rows"] or unknown, run["file_sha256"] or unknown)
    return [LabelFile(*entry) for entry in zip(*columns, strict=True)]
