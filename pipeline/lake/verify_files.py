"""Reading a file that a run names, for checking it against what the run's row says."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.label_files import LabelFile
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.run_folds import named_files
from laketag.pipeline.lake.runs import read_run_table
from laketag.pipeline.lake.tables import decode_columns
from laketag.pipeline.lake.verified import first_line
from laketag.pipeline.store.files import read_files


@dataclass(frozen=True)
class NamedFile:
    """A file that runs name: its columns that are checked, or why there are none."""

    rows: pl.DataFrame | None = None
    fault: str = ""
    may_be_replaced: bool = False
    """Whether it is no fault if a process that compacts or forgets has replaced the file meanwhile."""


def read_named(lake: Lake, file: LabelFile, schema: type[dy.Schema], columns: Sequence[str]) -> NamedFile:
    """These columns of the file, which must have all columns of the contract."""
    url = f"{lake.root}/{file.path}"
    try:
        (content,) = read_files([url], lake.storage)
    except FileNotFoundError:
        return NamedFile(fault="is missing, but runs name it", may_be_replaced=True)
    if file.sha256 is not None and hashlib.sha256(content).hexdigest() != file.sha256:
        fault = "was changed after it was published: its SHA-256 is not that in the row of its run"
        return NamedFile(fault=fault, may_be_replaced=True)
    try:
        rows = decode_columns(content, url, schema, columns)
    except InputError as error:
        return NamedFile(fault=f"is no table of {file.path.partition('/')[0]}: {first_line(error)}")
    if file.rows is not None and rows.height != file.rows:
        return NamedFile(rows, f"has {rows.height:,} rows, and its run says {file.rows:,}")
    return NamedFile(rows)


def was_replaced(lake: Lake, file: LabelFile) -> bool:
    """Whether no run names the file any more, because it was compacted or forgotten since."""
    return file.path not in named_files(read_run_table(lake).rows)
