"""Reading the files that people write class descriptions in."""

import io
from dataclasses import dataclass

import polars as pl

from laketag.pipeline.config import Settings, StorageSettings
from laketag.pipeline.descriptions.formats import Detected, Format, detect_format
from laketag.pipeline.descriptions.problems import refuse
from laketag.pipeline.descriptions.reading import (
    CLASS_COLUMN,
    TEXT_COLUMN,
    ClassSentences,
    group_rows,
    read_descriptions,
    read_names,
)
from laketag.pipeline.descriptions.strict_json import decode_text
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.schemes import open_filesystem

MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class DescriptionFile:
    """A local path or S3 URL, and how to read it."""

    url: str
    format: Format | None = None  # None: detected from the name and the content
    classes_url: str | None = None  # a file of class names, for a list of templates (clip-e)


def read_sentences(file: DescriptionFile, settings: Settings) -> tuple[ClassSentences, Detected]:
    """Class → texts of the file, and the format that it was read in."""
    content = read_description_file(file.url, settings.storage)
    detected = Detected(file.format, "--format says so") if file.format else detect_format(content, file.url)
    class_names = None
    if file.classes_url is not None:
        if detected.format != "clip-e":
            raise InputError(
                f"{file.url} is read as {detected.format}, which names its classes itself; "
                "--classes is only for a list of templates (clip-e), so leave it out"
            )
        names = read_description_file(file.classes_url, settings.storage)
        class_names = read_names(decode_text(names, file.classes_url), file.classes_url)
    if detected.format == "parquet":
        return group_rows(read_parquet_rows(content, file.url), file.url), detected
    sentences = read_descriptions(
        content,
        file.url,
        detected.format,
        label_prompt=settings.descriptions.label_prompt,
        class_names=class_names,
    )
    return sentences, detected


def read_description_file(url: str, storage: StorageSettings) -> bytes:
    """The bytes of a local file or S3 object that can be a description file."""
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
    return content


def read_parquet_rows(content: bytes, file: str) -> list[tuple[str, str]]:
    """The (class, text) rows of a Parquet file's two string columns."""
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{file}: not a Parquet file ({' '.join(str(error).split())[:200]}); write it again"
        ) from None
    problems = []
    for name in (CLASS_COLUMN, TEXT_COLUMN):
        if name not in frame.columns:
            problems.append(f"no column {name!r} among {', '.join(frame.columns)}")
        elif not isinstance(frame.schema[name], pl.String | pl.Categorical | pl.Enum):
            problems.append(f"column {name!r} has the type {frame.schema[name]}, not strings")
        elif nulls := frame[name].is_null().arg_true().to_list():
            rows = ", ".join(map(str, nulls[:5])) + (", …" if len(nulls) > 5 else "")
            problems.append(f"column {name!r} is null in {len(nulls)} row(s), counted from 0: {rows}")
    refuse(file, problems, "a Parquet description file has the string columns 'class' and 'text'")
    return frame.select(pl.col(CLASS_COLUMN, TEXT_COLUMN).cast(pl.String)).rows()
