"""The description table: ``descriptions/set=S/version=V/descriptions.parquet``.

A version is named ``TIME-HASH``: the newest sorts last, and equal content has an equal hash.
"""

import shlex
from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime

import polars as pl

from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.tables import read_footer, read_table, write_table
from laketag.pipeline.store.folders import list_files, list_folders
from laketag.schemas import LABEL_PROMPT_POSITION, Descriptions

FILE = "descriptions.parquet"
TEXT_TOWER = "text_tower_sha256"
"""The footer entry that names what the embeddings depend on; versions of laketag 0.1.0 lack it."""
FOOTER_ENTRIES = ("backbone", "backbone_sha256", "label_prompt")
"""The fields of EmbeddedSet that the file itself carries; the others are in its path."""


def description_url(lake: Lake, set_name: str, version: str) -> str:
    """The file of a version."""
    return f"{lake.description_versions(set_name)}/version={version}/{FILE}"


def list_versions(lake: Lake, set_name: str) -> list[str]:
    """The versions of a set, oldest first; none if there is no such set."""
    files = list_files(lake.description_versions(set_name), lake.storage)
    return sorted(url.split("/")[-2].removeprefix("version=") for url in files if url.endswith(f"/{FILE}"))


def new_version(lake: Lake, set_name: str, content_hash: str) -> str:
    """The name of a version of the set that is written now: the newest."""
    earlier = list_versions(lake, set_name)
    return f"{timestamp(after=earlier[-1] if earlier else '')}-{content_hash}"


def find_same_content(lake: Lake, set_name: str, hashes: Collection[str]) -> str | None:
    """The newest version of the set, if its content has one of these hashes."""
    newest = list_versions(lake, set_name)[-1:]
    return next((version for version in newest if version.rpartition("-")[2] in hashes), None)


def write_descriptions(lake: Lake, embedded: EmbeddedSet, rows: pl.DataFrame, text_tower: str) -> None:
    """The rows (schemas.Descriptions) are a version of the set, in one file that says what embedded them."""
    footer = {TEXT_TOWER: text_tower} | {
        name: value for name, value in asdict(embedded).items() if name in FOOTER_ENTRIES
    }
    footer["created_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    url = description_url(lake, embedded.name, embedded.version)
    write_table(rows, url, Descriptions, lake.storage, footer)


def read_descriptions_table(lake: Lake, set_name: str, version: str) -> pl.DataFrame:
    """All rows of a version (schemas.Descriptions), also the dropped ones, in the order of the classes."""
    return read_table(description_url(lake, set_name, version), Descriptions, lake.storage)


def read_class_names(lake: Lake, described: EmbeddedSet) -> tuple[str, ...]:
    """The classes of a version, in the order in which classifiers have them."""
    rows = read_descriptions_table(lake, described.name, described.version)
    return tuple(rows.filter(pl.col("position") == LABEL_PROMPT_POSITION)["class_name"])


def latest_embedded_set(lake: Lake, set_name: str) -> EmbeddedSet:
    """The newest version of a set and what embedded it; an InputError that names the existing sets if there is none."""
    versions = list_versions(lake, set_name)
    if not versions:
        known = [name.removeprefix("set=") for name in list_folders(lake.path("descriptions"), lake.storage)]
        raise InputError(
            f"{lake.root} has no description set {set_name!r}; "
            + (f"it has {', '.join(known)}; " if known else "")
            + f"write one with: laketag describe FILE --root {shlex.quote(lake.root)} --set {set_name}"
        )
    return read_embedded_set(lake, set_name, versions[-1])


def read_embedded_set(lake: Lake, set_name: str, version: str) -> EmbeddedSet:
    """The version of the set and what embedded it."""
    url = description_url(lake, set_name, version)
    footer = read_footer(url, lake.storage)
    if missing := [name for name in FOOTER_ENTRIES if name not in footer]:
        raise InputError(f"{url}: its footer lacks {', '.join(missing)}; describe the set again")
    entries = {name: footer[name] for name in FOOTER_ENTRIES}
    return EmbeddedSet(name=set_name, version=version, **entries)
