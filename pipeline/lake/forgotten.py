"""Which images were forgotten: a table of hashes, so that a later index leaves them out and nobody reads their names in it.

The key of the hashes is random and kept in the footer. It hides names from a reader of the table who does not know what to
look for, and keeps lakes from being compared; it hides nothing from a person who guesses a URI (decision 26).
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import polars as pl

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.tables import read_footer, read_table, write_table
from laketag.pipeline.store.folders import list_files
from laketag.schemas import Forgotten

KEY_BYTES = 32
KEY = "key"
"""The footer's entry."""


@dataclass(frozen=True)
class Named:
    """Images by their names as they are, before these are hashed."""

    rows: pl.DataFrame
    """Columns collection, image_id and uri."""
    prefix: str | None
    """The prefix that named them; None if a list did."""
    everywhere: bool


@dataclass(frozen=True, eq=False)
class ForgottenImages:
    """The table in memory; equal if it holds the same rows."""

    key: bytes
    rows: pl.DataFrame  # schemas.Forgotten
    _known: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict, init=False, repr=False)
    """Hashes of URIs and of ids, by the collection that they count in; find_in builds them once for all pages."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ForgottenImages) and self.rows.equals(other.rows)

    def find_in(self, rows: pl.DataFrame, collection: str) -> pl.Series:
        """Whether each row with ``image_id`` and ``uri`` is of a forgotten image, in this collection."""
        if self.rows.is_empty():
            return pl.repeat(False, rows.height, eager=True)
        if collection not in self._known:
            here = self.rows.filter(pl.col("collection") == collection)
            everywhere = self.rows.filter("everywhere")["hashed_uri"]
            self._known[collection] = {*here["hashed_uri"], *everywhere}, set(here["hashed_id"])
        uris, ids = self._known[collection]
        pairs = zip(rows["uri"], rows["image_id"], strict=True)
        found = [self.hash(uri) in uris or self.hash(image_id) in ids for uri, image_id in pairs]
        return pl.Series(found, dtype=pl.Boolean)

    def add(self, named: Named) -> "ForgottenImages":
        """The table with further images."""
        added = pl.DataFrame(
            {
                "hashed_uri": self._hash_all(named.rows["uri"]),
                "hashed_id": self._hash_all(named.rows["image_id"]),
                "collection": named.rows["collection"],
            }
        ).with_columns(
            everywhere=pl.lit(named.everywhere),
            hashed_prefix=pl.lit(None if named.prefix is None else self.hash(named.prefix), pl.String),
            forgotten_at=pl.lit(datetime.now(UTC)),
        )
        rows = pl.concat([self.rows, added.cast(self.rows.schema)])
        once = ("hashed_uri", "hashed_id", "collection", "everywhere", "hashed_prefix")
        return replace(self, rows=rows.unique(once, keep="first", maintain_order=True))

    def without(self, names: Iterable[str], prefix: str | None, collection: str | None) -> "ForgottenImages":
        """The table without the images that have one of the names or were named by the prefix, and were in the collection."""
        hashed = [self.hash(name) for name in names]
        wanted = pl.col("hashed_uri").is_in(hashed) | pl.col("hashed_id").is_in(hashed)
        if prefix is not None:
            wanted |= pl.col("hashed_prefix").eq_missing(self.hash(prefix))
        if collection is not None:
            wanted &= pl.col("collection") == collection
        return replace(self, rows=self.rows.filter(~wanted))

    def hash(self, name: str) -> str:
        """The name as the table has it."""
        return hashlib.blake2b(name.encode(), digest_size=16, key=self.key).hexdigest()

    def _hash_all(self, names: pl.Series) -> pl.Series:
        return pl.Series([self.hash(name) for name in names], dtype=pl.String)


def read_forgotten(lake: Lake) -> ForgottenImages:
    """The table as it is now; without a table no image is forgotten, and a new key is drawn."""
    url = _url(lake)
    if url not in list_files(lake.path("forgotten"), lake.storage):
        return ForgottenImages(secrets.token_bytes(KEY_BYTES), Forgotten.create_empty())
    key = bytes.fromhex(read_footer(url, lake.storage)[KEY])
    return ForgottenImages(key, read_table(url, Forgotten, lake.storage))


def write_forgotten(lake: Lake, forgotten: ForgottenImages) -> None:
    """The table is as this one; the caller holds the whole lake."""
    write_table(forgotten.rows, _url(lake), Forgotten, lake.storage, {KEY: forgotten.key.hex()})


def _url(lake: Lake) -> str:
    return lake.path("forgotten", "forgotten.parquet")
