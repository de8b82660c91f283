"""S3 Inventory: lists of all objects of a bucket that S3 writes itself, found by their manifest.json."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import polars as pl
import pyarrow as pa

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.column_types import find_usual
from laketag.pipeline.images.findings import LeftOut
from laketag.pipeline.images.open_tables import CsvTable, OpenTable, ParquetTable
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import Listed, Location, parse_url
from laketag.pipeline.store.schemes import normalise_url
from laketag.pipeline.store.versioned_file import open_file
from laketag.pipeline.store.versions import version_of_etag

MANIFEST_NAME = "manifest.json"
READ_COLUMNS = ("bucket", "key", "e_tag", "size", "is_latest", "is_delete_marker")
"""As Parquet has them; CSV has ``ETag``, ``IsLatest`` and so on."""


@dataclass(frozen=True)
class Inventory:
    """What a manifest says."""

    manifest: Location
    bucket: str
    """The bucket that is listed."""
    csv_names: tuple[str, ...] | None
    """The columns of CSV files; None for Parquet."""
    keys: tuple[str, ...]
    """The data files, in the bucket where the manifest was written."""


def read_manifest(source: str, storage: StorageSettings) -> Inventory:
    """The inventory of the manifest; an InputError if it is none, or its files are ORC."""
    manifest = parse_url(normalise_url(source))
    with store_errors(manifest.url), open_file(manifest.url, storage) as opened:
        data = opened.read()
    try:
        content = json.loads(data)
        kind, schema = content["fileFormat"], content["fileSchema"]
        bucket, keys = content["sourceBucket"], tuple(file["key"] for file in content["files"])
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{manifest.url} is no manifest of an S3 Inventory; name one, a table, a list or a folder"
        ) from None
    if kind not in ("CSV", "Parquet"):
        raise InputError(
            f"{manifest.url}: the inventory is in the format {kind}; configure one in Parquet or CSV"
        )
    names = tuple(name.strip() for name in schema.split(",")) if kind == "CSV" else None
    return Inventory(manifest, bucket, names, keys)


def list_inventory(
    inventory: Inventory, storage: StorageSettings, left_out: LeftOut
) -> Iterator[list[Listed]]:
    """Pages of the objects that exist now, as a listing gives them; older versions and deleted objects are left out."""
    for key in inventory.keys:
        url = _find_data_file(inventory.manifest, key)
        with store_errors(url), open_file(url, storage) as file:
            names = inventory.csv_names
            table = ParquetTable(url, file) if names is None else CsvTable(url, file, names)
            yield from _list_table(url, table, left_out)


def _list_table(url: str, table: OpenTable, left_out: LeftOut) -> Iterator[list[Listed]]:
    found = {name: find_usual(table.schema, (name,), lambda _: True) for name in READ_COLUMNS}
    columns = {name: column for name, column in found.items() if column is not None}
    if not {"bucket", "key", "e_tag"} <= columns.keys():
        raise InputError(
            f"{url}: the inventory has the columns {', '.join(table.schema.names)}, and lacks bucket, key or e_tag; "
            "add the field ETag to its configuration"
        )
    decode = unquote_plus if isinstance(table, CsvTable) else str  # Parquet has keys as they are
    for batch in table.batches(list(columns.values())):
        frame = pl.DataFrame(pa.Table.from_batches([batch])).select(
            pl.col(column).cast(pl.String).alias(name) for name, column in columns.items()
        )
        page = []
        for row in frame.iter_rows(named=True):
            path = decode(row["key"])
            if row.get("is_delete_marker") == "true":
                left_out.add(path, "deleted")
            elif row.get("is_latest") == "false":
                left_out.add(path, "older version")
            else:
                page.append(_listed(row, path))
        yield page


def _listed(row: dict[str, Any], key: str) -> Listed:
    size = row.get("size") or ""
    return Listed(
        f"s3://{row['bucket']}/{key}",
        version_of_etag(row["e_tag"]).etag,
        int(size) if size.isdigit() else None,
        key,
    )


def _find_data_file(manifest: Location, key: str) -> str:
    """The URL of a data file: in the manifest's bucket, or below a folder that holds a copy of part of it."""
    if not manifest.is_local:
        return f"{manifest.scheme}://{manifest.bucket}/{key}"
    for folder in Path(manifest.key).parents:
        if (folder / key).is_file():
            return str(folder / key)
    return str(Path(manifest.key).with_name(Path(key).name))
