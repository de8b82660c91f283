"""The files of a lake whose rows are of images, in all tables: also those that no run names, and those of old snapshots."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

import dataframely as dy
import polars as pl

from laketag.pipeline.lake.kept_tables import KEPT_SCHEMAS
from laketag.pipeline.lake.paths import TABLES, Lake, Table
from laketag.pipeline.lake.staging import read_frozen
from laketag.pipeline.lake.tables import scan_table
from laketag.pipeline.store.folders import list_files, list_folders
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Decisions, EvaluationResults, ImageIndex, Labels, Plan, StagedLabels

NAMES = ("image_id", "uri")
"""The columns that name an image, in every such table."""
_COLLECTION = re.compile(r"/collection=([^/]+)/")


@dataclass(frozen=True)
class ImageFile:
    """A file with rows of images of one collection."""

    url: str
    schema: type[dy.Schema]
    collection: str


def image_files(lake: Lake, table: Table) -> Iterator[ImageFile]:
    """Those of one table."""
    match table:
        case "index":
            yield from _below(lake, lake.path(table), ImageIndex)
        case "labels":
            yield from _below(lake, lake.path(table), Labels)
        case "decisions":
            yield from _below(lake, lake.path(table), Decisions)
        case "scores" | "embeddings":
            yield from _below(lake, lake.path(table), KEPT_SCHEMAS[table])
        case "evaluations":
            yield from _below(lake, lake.path(table), EvaluationResults)
        case "staging":
            for run_id in list_folders(lake.path("staging"), lake.storage):
                yield from staged_files(lake, run_id)
        case "descriptions" | "runs" | "nights" | "calibrations" | "forgotten":  # name no image
            pass
        case _:
            assert_never(table)


def staged_files(lake: Lake, run_id: str) -> Iterator[ImageFile]:
    """Those of one staged run; none of a plan that was never frozen, as nothing tells its collection."""
    frozen = read_frozen(lake, run_id)
    if frozen is not None:
        own: list[tuple[str, type[dy.Schema]]] = [("plan", Plan), ("parts", StagedLabels)]
        for folder, schema in (*own, *KEPT_SCHEMAS.items()):
            for url in list_files(f"{lake.staging(run_id)}/{folder}", lake.storage):
                yield ImageFile(url, schema, frozen["collection"])


def find_images(lake: Lake, wanted: pl.Expr, collection: str | None) -> pl.DataFrame:
    """The images of which a row in any table is wanted: collection, image_id and uri, each once.

    All rows with the id of such an image are of it, too, wherever they say that it is.
    """
    groups: dict[str, dict[type[dy.Schema], list[str]]] = {}
    for file in (file for table in TABLES for file in image_files(lake, table)):
        if collection in (None, file.collection):
            groups.setdefault(file.collection, {}).setdefault(file.schema, []).append(file.url)
    found = [pl.DataFrame(schema=dict.fromkeys(("collection", *NAMES), pl.String))]
    for name, files in groups.items():
        named = _collect(lake, files, wanted)
        if not named.is_empty():
            named = _collect(lake, files, pl.col("image_id").is_in(named["image_id"].unique().implode()))
            found.append(named.select(pl.lit(name).alias("collection"), *NAMES))
    return pl.concat(found)


def _collect(lake: Lake, files: dict[type[dy.Schema], list[str]], wanted: pl.Expr) -> pl.DataFrame:
    def find() -> pl.DataFrame:
        scans = [scan_table(urls, schema, lake.storage).select(NAMES) for schema, urls in files.items()]
        return pl.concat(scans).filter(wanted).unique().sort(NAMES).collect(engine="streaming")

    return through_outages(lake.root, lake.storage, find)


def _below(lake: Lake, folder: str, schema: type[dy.Schema]) -> Iterator[ImageFile]:
    for url in list_files(folder, lake.storage):
        if match := _COLLECTION.search(url.removeprefix(lake.root)):
            yield ImageFile(url, schema, match[1])
