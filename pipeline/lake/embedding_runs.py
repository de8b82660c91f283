"""Runs that have kept embeddings, and whose embeddings labels are or may be made from."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from laketag.pipeline.lake.hashed_ids import version_key
from laketag.pipeline.lake.label_files import LabelFile
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot
from laketag.pipeline.lake.tables import scan_table
from laketag.pipeline.store.outages import through_outages
from laketag.schemas import Embeddings

KEEPS_EMBEDDINGS = pl.col("encoder").is_not_null() & pl.col("made_from").is_null()
"""Of the table of runs. A run that was made from embeddings has their encoder, too, and keeps none."""


def serves(kept: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether embeddings of one encoder are those that the other makes; a method without crops needs the whole image alone.

    The encoders are of laketag.pipeline.classifier.encoder_identity.
    """
    return bool(kept["whole"] == wanted["whole"] and wanted["crops"] in (None, kept["crops"]))


def find_needed(runs: pl.DataFrame, makers: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """The runs whose embeddings are to be kept, in the same order.

    They are those of the encoder that a description set of their collection has kept last, and those that serve one of the
    ``makers``: runs, finished or not, that need what they were made from.
    """
    keeping = runs.filter(KEEPS_EMBEDDINGS)
    of_sets = keeping.unique(["collection", "description_set"], keep="last", maintain_order=True)
    needed = set(of_sets.select("collection", "encoder").iter_rows())
    made = {(run["collection"], run["encoder"]) for run in makers if run.get("made_from")}
    needed |= {
        (collection, kept)
        for collection, kept in keeping.select("collection", "encoder").unique().iter_rows()
        for of_maker, wanted in made
        if of_maker == collection and wanted and serves(json.loads(kept), json.loads(wanted))
    }
    names = pl.DataFrame(list(needed), schema={"collection": pl.String, "encoder": pl.String}, orient="row")
    return keeping.join(names, on=["collection", "encoder"], how="semi", maintain_order="left")


def count_indexed(lake: Lake, collection: str, files: Sequence[LabelFile]) -> int:
    """How many images of the collection's newest index have embeddings of their version in the files, of which there are some.

    Only the keys of the rows are read: 16 bytes for each are held.
    """
    snapshot = latest_snapshot(lake, collection)

    def count() -> int:
        kept = scan_table([f"{lake.root}/{file.path}" for file in files], Embeddings, lake.storage)
        index = scan_snapshot(lake, snapshot).select(key=version_key())
        found = index.join(kept.select(key=version_key()), on="key", how="semi")
        images: int = found.select(pl.len()).collect(engine="streaming").item()
        return images

    return through_outages(lake.root, lake.storage, count)
