"""Forgetting images: find → remember → remove their rows from every table; and letting indexes take them again."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from laketag.pipeline.lake.forget_rows import Sweep
from laketag.pipeline.lake.forgotten import Named, read_forgotten, write_forgotten
from laketag.pipeline.lake.image_files import find_images
from laketag.pipeline.lake.lease import hold_whole_lake
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.placed_files import refuse_unsafe_replacing
from laketag.pipeline.store.schemes import is_remote

EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class ForgetRequest:
    """Which images are named: by a prefix of their URIs, or by a list of URIs and image ids."""

    prefix: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """The lines of a list, by the URI that each means."""
    collection: str | None = None
    """Only images of this collection."""

    @property
    def wanted(self) -> pl.Expr:
        """Whether a row with ``image_id`` and ``uri`` is of a named image."""
        if self.prefix is not None:
            return pl.col("uri").str.starts_with(self.prefix)
        uris = pl.Series(self.names.keys(), dtype=pl.String).implode()
        ids = pl.Series(self.names.values(), dtype=pl.String).implode()
        return pl.col("uri").is_in(uris) | pl.col("image_id").is_in(ids)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The named images that the lake holds."""

    images: dict[str, int]
    """How many, by collection."""
    examples: tuple[str, ...]
    unknown: int
    """Names of the list that are in no table."""


@dataclass(frozen=True, kw_only=True)
class ForgetReport:
    """What was found, and how many rows were removed from each table; of a dry run none."""

    found: Found
    removed: dict[str, int]
    dry_run: bool = False


def find_named(lake: Lake, request: ForgetRequest) -> ForgetReport:
    """The report of what would be forgotten; nothing is written."""
    return ForgetReport(found=_describe(_find(lake, request), request), removed={}, dry_run=True)


def forget_images(lake: Lake, request: ForgetRequest, show: Callable[[str], None]) -> ForgetReport:
    """No table holds a row of the named images, and later indexes leave them out.

    Names of a list that no table holds are left out, too. A call that was killed is completed by the next one.
    """
    _refuse_unsafe_replacing(lake)
    with hold_whole_lake(lake, show) as lease:
        # find: the named images of all tables, and all names that these have
        found = _find(lake, request)
        # remember: hashes of the names; from now on no index takes the images, and any call can go on from here
        unknown = [(request.collection or "", line, uri) for uri, line in _unknown(found, request)]
        names = pl.concat([found, pl.DataFrame(unknown, found.schema, orient="row")])
        forgotten = read_forgotten(lake).add(Named(names, request.prefix, request.collection is None))
        lease.check()
        write_forgotten(lake, forgotten)
        # remove: every row of a forgotten image, in unfinished runs, all snapshots, and all label files
        sweep = Sweep(lake, forgotten, lease)
        sweep.remove_rows()
    return ForgetReport(found=_describe(found, request), removed=dict(sweep.removed))


def unforget_images(lake: Lake, request: ForgetRequest, show: Callable[[str], None]) -> int:
    """Later indexes take the named images again; returns how many. A prefix must be the one that they were forgotten by."""
    _refuse_unsafe_replacing(lake)
    with hold_whole_lake(lake, show) as lease:
        before = read_forgotten(lake)
        names = [*request.names.keys(), *request.names.values()]
        after = before.without(names, request.prefix, request.collection)
        lease.check()
        if after.rows.height < before.rows.height:
            write_forgotten(lake, after)
    return before.rows.height - after.rows.height


def _refuse_unsafe_replacing(lake: Lake) -> None:
    """The files of the lake that are replaced in place are whole at any time."""
    if not is_remote(lake.root):
        with store_errors(lake.root):
            refuse_unsafe_replacing(Path(lake.root))


def _find(lake: Lake, request: ForgetRequest) -> pl.DataFrame:
    return find_images(lake, request.wanted, request.collection)


def _unknown(found: pl.DataFrame, request: ForgetRequest) -> list[tuple[str, str]]:
    """URIs and lines of the list that no table holds."""
    uris, ids = set(found["uri"]), set(found["image_id"])
    return [(uri, line) for uri, line in request.names.items() if uri not in uris and line not in ids]


def _describe(found: pl.DataFrame, request: ForgetRequest) -> Found:
    images = Counter(found.unique(["collection", "image_id"])["collection"])
    return Found(
        images=dict(sorted(images.items())),
        examples=tuple(found["uri"].unique().sort().head(EXAMPLES)),
        unknown=len(_unknown(found, request)),
    )
