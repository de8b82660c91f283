"""The files of a table: one file, or those of a folder as Spark and Arrow find them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.images.findings import LeftOut
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import UNSEEN, Listed, Location, Skipped, parse_url
from laketag.pipeline.store.looks import find_version, is_file
from laketag.pipeline.store.schemes import list_below, normalise_url

PARQUET_EXTENSIONS = ("parquet", "pq", "parq")
DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""Hive's name of the folder whose rows have no value."""
_HIDDEN = re.compile(r"(?:^|/)(?:\.|_(?![^/]*=))")
"""Spark and Arrow pass over names that begin with a dot or ``_``, except folders of partitions."""

TABLE_FORMATS = (
    (
        re.compile(r"(?P<table>^|.*/)_delta_log/"),
        "a Delta table (_delta_log)",
        """python -c "import polars as pl; pl.scan_delta({table!r}).sink_parquet('live.parquet')" (needs deltalake)""",
    ),
    (
        re.compile(r"(?P<table>^|.*/)metadata/[^/]+\.metadata\.json$"),
        "an Iceberg table (metadata)",
        """python -c "import polars as pl; pl.scan_iceberg({file!r}).sink_parquet('live.parquet')" (needs pyiceberg)""",
    ),
    (re.compile(r"(?P<table>^|.*/)\.hoodie/"), "a Hudi table (.hoodie)", "the reader of Hudi, such as Spark"),
)
"""Formats whose folders also hold files of removed rows: what is in such a folder, the format, and what writes its live rows."""


@dataclass(frozen=True)
class TableFile:
    """A file of a table, its version, and the columns that the names of its folders add to it."""

    location: Location
    etag: str
    partitions: Mapping[str, str | None] = field(default_factory=dict)


def find_table_files(source: str, storage: StorageSettings, left_out: LeftOut) -> list[TableFile]:
    """The file, or the Parquet files below the folder, sorted; folders ``name=value`` become columns of their files.

    A file that is given itself may have any name. An InputError if the folder belongs to a format with its own list of files.
    """
    location = parse_url(normalise_url(source))
    with store_errors(location.url):
        if is_file(location, storage):
            return [TableFile(location, find_version(location, storage).etag)]
        found = [entry for page in list_below(location, storage, _reason) for entry in page]
        if not found and not location.is_local:
            raise FileNotFoundError(location.url)
    _refuse_other_formats(location, (entry.path for entry in found))
    files = _visible_tables(location, found, left_out)
    if not files:
        raise InputError(f"{location.url} holds no .parquet file; name one, or a folder of them")
    return [
        TableFile(parse_url(file.url), file.etag, _partitions(file.path))
        for file in sorted(files, key=lambda file: file.url)
    ]


def _reason(path: str) -> str | None:
    return "hidden" if _HIDDEN.search(path) else None


def _visible_tables(folder: Location, found: list[Listed | Skipped], left_out: LeftOut) -> list[Listed]:
    """The Parquet files by their extension; if there are none, the files without any, as Hive and Athena name theirs."""
    tables: list[Listed] = []
    unnamed: list[Listed] = []
    for entry in found:
        extension = PurePosixPath(entry.path).suffix.lower().removeprefix(".")
        if isinstance(entry, Skipped) and entry.reason in UNSEEN and not _reason(entry.path):
            raise StorageError(
                f"{folder.url}: {entry.path} cannot be read ({entry.reason}), and nothing tells which rows are in it; "
                "make it readable, or move it out of the table"
            )
        if isinstance(entry, Skipped):
            left_out.add(entry.path, entry.reason)
        elif reason := _reason(entry.path):
            left_out.add(entry.path, reason)
        elif extension in PARQUET_EXTENSIONS:
            tables.append(entry)
        elif extension:
            left_out.add(entry.path, f".{extension}")
        elif entry.size_bytes:  # a store's mark for a folder is empty
            unnamed.append(entry)
    if not tables:
        return unnamed
    for entry in unnamed:
        left_out.add(entry.path, "no extension")
    return tables


def _partitions(path: str) -> dict[str, str | None]:
    """The columns that Hive writes as folders ``name=value``, percent-encoded."""
    pairs = [folder.split("=", 1) for folder in path.split("/")[:-1] if "=" in folder]
    return {unquote(name): None if value == DEFAULT_PARTITION else unquote(value) for name, value in pairs}


def _refuse_other_formats(folder: Location, paths: Iterable[str]) -> None:
    paths = sorted(paths, key=_natural)  # the last of Iceberg's files describes the table as it is now
    for pattern, name, command in TABLE_FORMATS:
        marks = [match for path in paths if (match := pattern.match(path))]
        if marks:
            url = folder.url.rstrip("/")
            table = f"{url}/{marks[-1]['table']}".rstrip("/")
            command = command.format(table=table, file=f"{url}/{marks[-1].string}")
            raise InputError(
                f"{table} is {name}, and its folder also holds files of removed rows; write its live rows to one table with "
                f"{command}, and index that"
            )


def _natural(path: str) -> list[int | str]:
    """A key by which numbers in names count as numbers; every second part is one."""
    parts = re.split(r"([0-9]+)", path)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)]
