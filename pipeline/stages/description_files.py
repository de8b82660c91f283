"""The files that people write class descriptions in, wherever they lie."""

import io

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.descriptions.problems import refuse
from laketag.pipeline.descriptions.reading import CLASS_COLUMN, TEXT_COLUMN
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.schemes import open_filesystem

MAX_BYTES = 1 << 30


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
            problems.append(f"column {name!r} holds {frame.schema[name]}, not strings")
        elif nulls := frame[name].is_null().arg_true().to_list():
            rows = ", ".join(map(str, nulls[:5])) + (", …" if len(nulls) > 5 else "")
            problems.append(f"column {name!r} is null in {len(nulls)} row(s), counted from 0: {rows}")
    refuse(file, problems, "a Parquet description file has the string columns 'class' and 'text'")
    return frame.select(pl.col(CLASS_COLUMN, TEXT_COLUMN).cast(pl.String)).rows()
