"""The description table: ``descriptions/set=S/version=V/descriptions.parquet``.

A version is called ``TIME-HASH``: the newest sorts last, and the same content has the same hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import pyarrow.parquet as pq

from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.tables import read_table, write_table
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.folders import list_files, list_folders
from laketag.pipeline.store.schemes import open_filesystem
from laketag.schemas import Descriptions

FILE = "descriptions.parquet"
LABEL_PROMPT_POSITION = -1


@dataclass(frozen=True)
class DescribedWith:
    """What a version's footer says of its making."""

    backbone: str
    backbone_sha256: str
    label_prompt: str
    created_at: str

    def as_metadata(self) -> dict[str, str]:
        """The keys and values of the footer."""
        return {f"laketag.{key}": str(value) for key, value in vars(self).items()}


def version_hash(version: str) -> str:
    """The part of a version's name that stands for its content, and goes into a classifier's fingerprint."""
    return version.rpartition("-")[2]


def description_url(lake: Lake, set_name: str, version: str) -> str:
    """The file of a version."""
    return f"{lake.description_versions(set_name)}/version={version}/{FILE}"


def list_versions(lake: Lake, set_name: str) -> list[str]:
    """The versions of a set, oldest first; none if there is no such set."""
    files = list_files(lake.description_versions(set_name), lake.storage)
    return sorted(url.split("/")[-2].removeprefix("version=") for url in files if url.endswith(f"/{FILE}"))


def latest_version(lake: Lake, set_name: str) -> str:
    """The newest version of a set; an InputError that names the sets there are, if this is not one."""
    if versions := list_versions(lake, set_name):
        return versions[-1]
    known = [name.removeprefix("set=") for name in list_folders(lake.path("descriptions"), lake.storage)]
    raise InputError(
        f"{lake.root} has no description set {set_name!r}; "
        + (f"it has {', '.join(known)}; " if known else "")
        + f"write one with: laketag describe FILE --root {lake.root} --set {set_name}"
    )


def find_same_content(lake: Lake, set_name: str, content_hash: str) -> str | None:
    """The newest version of the set if its content has this hash."""
    newest = list_versions(lake, set_name)[-1:]
    return next((version for version in newest if version_hash(version) == content_hash), None)


def write_descriptions(
    lake: Lake, set_name: str, content_hash: str, rows: pl.DataFrame, made: Mapping[str, str]
) -> str:
    """The rows (schemas.Descriptions) are a new version of the set, written as one file; returns its name."""
    version = f"{timestamp()}-{content_hash}"
    write_table(rows, description_url(lake, set_name, version), Descriptions, lake.storage, metadata=made)
    return version


def read_descriptions_table(lake: Lake, set_name: str, version: str) -> pl.DataFrame:
    """All rows of a version (schemas.Descriptions), dropped ones too, in the order of the classes."""
    return read_table(description_url(lake, set_name, version), Descriptions, lake.storage)


def read_described_with(lake: Lake, set_name: str, version: str) -> DescribedWith:
    """What a version was made with, from its footer."""
    url = description_url(lake, set_name, version)
    filesystem, path = open_filesystem(url, lake.storage)
    with store_errors(url), filesystem.open(path, "rb") as file:
        footer = pq.read_metadata(file).metadata or {}
    values = {name: footer.get(f"laketag.{name}".encode()) for name in DescribedWith.__dataclass_fields__}
    if missing := [name for name, value in values.items() if value is None]:
        raise InputError(f"{url}: its footer lacks {', '.join(missing)}; describe the set again")
    return DescribedWith(**{name: value.decode() for name, value in values.items() if value is not None})


def latest_embedded_set(lake: Lake, set_name: str) -> EmbeddedSet:
    """The newest version of a set and what embedded it; an InputError that names the existing sets if there is none."""
    version = latest_version(lake, set_name)
    made = read_described_with(lake, set_name, version)
    return EmbeddedSet(
        name=set_name,
        version=version,
        content_hash=version_hash(version),
        backbone=made.backbone,
        backbone_sha256=made.backbone_sha256,
    )
