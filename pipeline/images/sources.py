"""What a source is: a folder of images, one image, a list, a table, or an S3 Inventory."""

import os
from pathlib import PurePosixPath
from typing import Literal

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.image_formats import IMAGE_EXTENSIONS, SNIFFED_BYTES, is_image
from laketag.pipeline.images.inventory import MANIFEST_NAME
from laketag.pipeline.images.open_tables import CSV_SUFFIXES
from laketag.pipeline.images.table_files import PARQUET_EXTENSIONS
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import WEB, parse_url
from laketag.pipeline.store.looks import read_start
from laketag.pipeline.store.schemes import normalise_url

Kind = Literal["folder", "image", "list", "table", "inventory"]
LIST_EXTENSIONS = ("txt", "lst", "list")
PARQUET_START = b"PAR1"


def find_kind(source: str, storage: StorageSettings, *, is_table: bool = False) -> Kind:
    """What the source is, by its name, or else by its first bytes; an InputError if it is none of them.

    ``is_table`` if the user says so, as of a folder of Parquet files.
    """
    location = parse_url(normalise_url(source))
    if location.scheme in WEB:
        raise InputError(
            f"{source}: {location.scheme}:// is read only where a table or a .txt list names single images; "
            "write their URLs into one"
        )
    name = PurePosixPath(location.key).name.lower()
    extension = PurePosixPath(name).suffix.removeprefix(".")
    is_folder = location.is_local and os.path.isdir(location.key)  # noqa: PTH112  # keys are strings
    if is_table or extension in PARQUET_EXTENSIONS or (name.endswith(CSV_SUFFIXES) and not is_folder):
        return "table"
    if is_folder or source.endswith("/") or not name:
        return "folder"
    if name == MANIFEST_NAME:
        return "inventory"
    if extension in LIST_EXTENSIONS:
        return "list"
    with store_errors(location.url):
        start = read_start(location, storage, SNIFFED_BYTES)
    exists = bool(start) or (location.is_local and os.path.lexists(location.key))
    if start.startswith(PARQUET_START):
        return "table"
    if is_image(start, extension) or (exists and extension in IMAGE_EXTENSIONS):
        return "image"
    if not exists and not location.is_local:
        return "folder"  # a prefix is no object
    raise InputError(
        f"{location.url} {'is' if exists else 'does not exist, and is'} none of what can be indexed: a folder or s3:// prefix "
        "of images, an image, a table (.parquet or .csv; with --parquet, a Parquet file or folder of any name), "
        f"a {MANIFEST_NAME} of S3 Inventory, or a .txt list of paths"
    )
