"""What people have decided about images: ``decisions/collection=C/set=S/*.parquet``, schemas.Decisions.

A decision is about one version of an image and one description set, whatever classifier labels it: it counts until the image
changes. Each call adds a file by one conditional create, and no row is ever changed; of the decisions about a version the
newest counts. ``laketag compact`` merges the files. Whoever writes here holds a lease, so that no row of a forgotten image is
written behind the back of ``laketag forget``.
"""

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from laketag.pipeline.errors import StorageError
from laketag.pipeline.lake.lease import DEFAULT_TIMES, REVIEW, Lease, LeaseTimes, hold_lease
from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.lake.tables import create_table, decode_table
from laketag.pipeline.store.files import read_files, remove_file
from laketag.pipeline.store.folders import list_files
from laketag.schemas import Decisions, Tool, Verdict

VERSION = ("image_id", "etag")
"""What a decision is about, within a collection and a description set."""
IDENTITY = ("image_id", "etag", "verdict", "label", "decided_by", "decided_at", "tool")
FOLDER = re.compile(r"/collection=([^/]+)/set=([^/]+)/[^/]+$")
LISTINGS = 5
"""How often the files are listed anew because they were merged since."""


@dataclass(frozen=True)
class Decided:
    """Where decisions are: about the images of a collection and the classes of a description set."""

    lake: Lake
    collection: str
    set_name: str

    @property
    def url(self) -> str:
        """The folder of the decisions."""
        return self.lake.decisions(self.collection, self.set_name)

    def read(self) -> pl.DataFrame:
        """All decisions (schemas.Decisions), each once, in the order in which they were made."""
        storage = self.lake.storage
        for _ in range(LISTINGS):
            files = list_files(self.url, storage)
            try:
                rows = decode_table(read_files(files, storage), Decisions, files) if files else _no_rows()
            except FileNotFoundError:
                continue
            rows = rows.unique("decision_id", keep="first", maintain_order=True)
            return rows.sort("decided_at", "recorded_at", "decision_id")
        raise StorageError(
            f"{self.url}: its files were removed {LISTINGS} times while they were read; run the same command again"
        )

    def read_current(self) -> pl.DataFrame:
        """The decisions that count: of each version of an image the newest, unless it is withdrawn."""
        return select_current(self.read())

    def record(self, rows: pl.DataFrame) -> None:
        """The decisions (of decision_row) are in the table, all or none; the caller holds a lease of hold_review."""
        rows = rows.unique("decision_id", keep="first", maintain_order=True)
        digest = hashlib.blake2b("".join(rows["decision_id"]).encode(), digest_size=6).hexdigest()
        url = f"{self.url}/{timestamp()}-{digest}.parquet"
        if not create_table(rows, url, Decisions, self.lake.storage):
            raise StorageError(f"{url}: exists with other content; run the same command again")

    def merge(self, lease: Lease) -> int:
        """All decisions are in one file; returns how many files there were. Killed anywhere, it loses and doubles none."""
        files = list_files(self.url, self.lake.storage)
        if len(files) > 1:
            rows = self.read()
            lease.check()
            self.record(rows)
            for url in files:
                remove_file(url, self.lake.storage)
        return len(files)


def decision_row(
    image: dict[str, Any], verdict: Verdict, label: str | None, who: tuple[str, Tool], decided_at: datetime
) -> dict[str, Any]:
    """A row of schemas.Decisions about an image with ``image_id``, ``uri`` and ``etag``; the same decision has the same id."""
    decided_by, tool = who
    now = datetime.now(UTC)
    row = {
        **{name: image[name] for name in ("image_id", "uri", "etag")},
        "verdict": verdict,
        "label": label,
        "decided_by": decided_by,
        "decided_at": min(decided_at, now),  # no clock that is ahead keeps later decisions from counting
        "tool": tool,
        "recorded_at": now,
    }
    identity = repr([str(row[name]) for name in IDENTITY]).encode()
    return {"decision_id": hashlib.blake2b(identity, digest_size=16).hexdigest(), **row}


def decision_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of decision_row as a frame of schemas.Decisions."""
    return pl.DataFrame(rows, schema=_no_rows().schema)


def select_current(rows: pl.DataFrame) -> pl.DataFrame:
    """Of decisions in the order of Decided.read those that count."""
    newest = rows.unique(VERSION, keep="last", maintain_order=True)
    return newest.filter(pl.col("verdict").cast(pl.String) != "withdrawn")


def prefer_decisions(index: pl.DataFrame, current: pl.DataFrame) -> pl.DataFrame:
    """The images of an index (schemas.ImageIndex) with the decided class as their ``true_class``.

    It is null where somebody has decided that the image is of none of the classes.
    """
    decided = current.select(*VERSION, decided_class="label", is_decided=True)
    both = index.join(decided, on=VERSION, how="left", maintain_order="left")
    true_class = pl.when(pl.col("is_decided")).then("decided_class").otherwise("true_class")
    return both.with_columns(true_class=true_class).select(index.columns)


def find_decided(lake: Lake) -> list[Decided]:
    """Each collection and description set with decisions."""
    found = (FOLDER.search(url) for url in list_files(lake.path("decisions"), lake.storage))
    return [Decided(lake, *names) for names in sorted({match.groups() for match in found if match})]


@contextmanager
def hold_review(
    lake: Lake, show: Callable[[str], None], times: LeaseTimes = DEFAULT_TIMES
) -> Iterator[Lease]:
    """Nobody forgets images meanwhile; any number of people review and import at once."""
    with hold_lease(lake, f"{REVIEW}{uuid.uuid4().hex}", show, times) as lease:
        yield lease


def _no_rows() -> pl.DataFrame:
    return Decisions.create_empty()
