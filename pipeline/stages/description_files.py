"""Reading the files that people write class descriptions in."""

import io
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

import polars as pl

from laketag.pipeline.config import Settings, StorageSettings
from laketag.pipeline.descriptions.candidates import keep_candidates, subset_names
from laketag.pipeline.descriptions.containers import read_contents
from laketag.pipeline.descriptions.contents import Contents
from laketag.pipeline.descriptions.formats import Format
from laketag.pipeline.descriptions.problems import refuse
from laketag.pipeline.descriptions.reading import ClassSentences, read_descriptions, read_names
from laketag.pipeline.descriptions.table_contents import find_columns, group_rows
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.sources import PARQUET_START
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.schemes import open_filesystem

MAX_BYTES = 1 << 30
CONTAINERS: dict[Format, Literal["csv", "lines"]] = {
    "csv": "csv",
    "names": "lines",
    "clip-d": "lines",
    "clip-e": "lines",
}
"""What a file of a named format is if it is not JSON."""


@dataclass(frozen=True)
class DescriptionFile:
    """A local path or S3 URL, and how to read it."""

    url: str
    format: Format | None = None  # None: detected from the name and the content
    classes_url: str | None = None  # a file of class names, for a list of templates or descriptors
    strict: bool = False  # refuse the file instead of repairing it
    only: str | None = (
        None  # imagenet-r, imagenet-a, or a file of class names: the classes of the file that are kept
    )


def read_sentences(file: DescriptionFile, settings: Settings) -> ClassSentences:
    """The sentences of the file by class; with ``strict`` InputError if anything in it must be repaired."""
    names: tuple[str, ...] | None = None
    notices: tuple[str, ...] = ()
    if file.classes_url is not None:
        listed = read_description_file(file.classes_url, "names", settings.storage)
        names, notices = read_names(listed, file.classes_url)
    contents = read_description_file(file.url, file.format, settings.storage)
    sentences = read_descriptions(contents, file.url, file.format, names, settings.descriptions.label_prompt)
    if file.only is not None:
        names_kept = subset_names(file.only)
        if names_kept is None:
            names_kept = list(
                read_names(read_description_file(file.only, "names", settings.storage), file.only)[0]
            )
        sentences = keep_candidates(sentences, names_kept, file.only)
    notices = (*notices, *sentences.notices)
    if file.strict:
        refuse(file.url, notices, "correct the file, or leave out --strict")
    return replace(sentences, notices=notices)


def read_description_file(url: str, file_format: Format | None, storage: StorageSettings) -> Contents:
    """The contents of a local file or S3 object that can be a description file."""
    filesystem, path = open_filesystem(url, storage)
    with store_errors(url):
        found = filesystem.info(path)
        if found["type"] == "directory":
            raise InputError(f"{url} is a folder; name one description file in it")
        if found["size"] > MAX_BYTES:
            raise InputError(
                f"{url} has {found['size']:,} bytes, over the limit of {MAX_BYTES:,} for description files; "
                "split the set"
            )
        content: bytes = filesystem.cat_file(path)
    if not content.strip():
        raise InputError(f"{url} is empty; write class names or descriptions into it")
    is_parquet = content.startswith(PARQUET_START) or PurePosixPath(url).suffix.lower() == ".parquet"
    if file_format == "parquet" or (file_format is None and is_parquet):
        return group_rows(read_parquet_rows(content, url), "parquet")
    return read_contents(content, url, CONTAINERS.get(file_format) if file_format else None)


def read_parquet_rows(content: bytes, file: str) -> list[tuple[str | None, str | None]]:
    """The (class, text) rows of a Parquet file; a list of texts gives a row for each."""
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{file}: not a Parquet file ({' '.join(str(error).split())[:200]}); write it again"
        ) from None
    class_column, text_column = find_columns(frame.columns, file)
    rows = frame.select(class_name=class_column, text=text_column)
    if isinstance(rows.schema["text"], pl.List):
        rows = rows.explode("text")
    problems = [
        f"column {column!r} has the type {frame.schema[column]}, not strings"
        for column, dtype in zip((class_column, text_column), rows.dtypes, strict=True)
        if not isinstance(dtype, pl.String | pl.Categorical | pl.Enum | pl.Null)
    ]
    refuse(file, problems, "a Parquet description file has columns of strings")
    return rows.cast(pl.String).rows()
