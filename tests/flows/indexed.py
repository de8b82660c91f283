"""Sources indexed into a lake in a folder, for tests."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.flows.index_images import IndexRequest, IndexSummary, index_images
from laketag.pipeline.images.index_columns import IndexColumns
from laketag.pipeline.images.layout_names import LayoutName
from laketag.pipeline.images.listing import ListingRules
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.images.sources import find_kind
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.snapshots import scan_snapshot
from tests.images.indexing import fetched
from tests.stores.store import Store


@dataclass(frozen=True)
class Indexed:
    """What indexing a source gave: the summary and the rows, sorted by URI."""

    summary: IndexSummary
    rows: pl.DataFrame
    store: Store

    @property
    def fetched(self) -> list[bytes | str | None]:
        """What each image gives: its bytes, or the reason why not."""
        return fetched(self.store, self.rows)


def index(
    source: str | Path,
    lake: Path,
    *,
    storage: StorageSettings | None = None,
    is_table: bool = False,
    class_from_folder: bool = False,
    layout: LayoutName | None = None,
    rules: ListingRules | None = None,
    roots: tuple[str, ...] = (),
    accept_gone: bool = False,
    **columns: str,
) -> Indexed:
    """The source becomes a snapshot of the collection ``c`` of the lake."""
    store = Store("folder", str(lake), storage or StorageSettings())
    opened = open_lake(str(lake), store.storage)
    found = Source(
        url=str(source),
        kind=find_kind(str(source), store.storage, is_table=is_table),
        rules=rules or ListingRules(),
        columns=IndexColumns(**columns),
        class_from_folder=class_from_folder,
        layout=layout,
    )
    summary = index_images(
        opened, IndexRequest(source=found, collection="c", allowed_roots=roots, accept_gone=accept_gone)
    )
    rows = scan_snapshot(opened, summary.snapshot).sort("uri").collect()
    return Indexed(summary, rows, store)
