"""Filters of queries: which rows they choose, and what exists where they name something that does not."""

import difflib
import warnings
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TypedDict

import polars as pl

from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.lake.decided_rows import DECISION
from laketag.pipeline.lake.description_versions import description_url
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import scan_labels
from laketag.pipeline.lake.tables import scan_table
from laketag.pipeline.store.errors import store_errors
from laketag.schemas import FAILURES, NONE_OF_THESE, Descriptions, Failure

ALL_OF = 12
"""Most values that a message names all of; of more it names the nearest."""
NEAREST = 5
NOUNS = {
    "collection": ("collection", "collections"),
    "description_set": ("description set", "description sets"),
    "classifier": ("classifier", "classifiers"),
    "run_id": ("run", "runs"),
    "label": ("class", "classes"),
    "failure": ("failure", "failures"),
}
"""What the values of filters are, one and many."""
OF_RUNS = ("collection", "description_set", "classifier", "run_id")
"""Filters that choose runs by the column of the same name, from the widest to the narrowest."""


class NightFilter(TypedDict, total=False):
    """Which nights, or decisions, a query returns; a filter that is left out or None matches all rows."""

    collection: str | None
    description_set: str | None
    since: datetime | None  # what ended, or was decided, at or after this time; UTC if it has no time zone


class RowFilter(TypedDict, total=False):
    """Which rows a query returns; a filter that is left out or None matches all rows."""

    collection: str | None
    description_set: str | None
    classifier: str | None  # also one that is not current
    run_id: str | None  # exactly the rows of this run, including those that later runs replaced
    since: datetime | None  # rows labelled (runs: finished) at or after this time; UTC if it has no time zone


class ImageFilter(RowFilter, total=False):
    """Which images a query returns, besides RowFilter."""

    also_removed: bool | None  # also images that the newest index does not have any more


class SqlFilter(ImageFilter, total=False):
    """Which rows the tables of a SELECT have."""

    also_abstained: bool | None  # show the best class of an image that has abstained, not NONE_OF_THESE


class ClassFilter(SqlFilter, total=False):
    """Which classes a query returns, besides SqlFilter."""

    label: str | None
    min_probability: float | None
    accepted: bool | None  # only classes that are over their threshold


class FailureFilter(ImageFilter, total=False):
    """Which failures a query returns, besides ImageFilter."""

    failure: Failure | None


class UnknownValueWarning(UserWarning):
    """A filter names a value that the lake does not have, so no row matches; the message names those that it has."""


def check_names(which: Collection[str], known: type[RowFilter | NightFilter]) -> None:
    """Python does not check the keywords of an unpacked TypedDict: a misspelt filter must not match all rows."""
    if unknown := sorted(set(which) - known.__annotations__.keys()):
        names = ", ".join(sorted(known.__annotations__))
        raise TypeError(f"no filter {', '.join(unknown)}; choose from {names}")


def select_runs(finished: pl.DataFrame, which: RowFilter) -> pl.DataFrame:
    """Those of the runs that the filters name, in the same order; ``since`` is not applied."""
    wanted = {name: which.get(name) for name in OF_RUNS}
    return finished.filter(*(pl.col(name) == value for name, value in wanted.items() if value is not None))


def select_since(rows: pl.LazyFrame, column: str, which: RowFilter | NightFilter) -> pl.LazyFrame:
    """Those of the rows whose time is not before ``since``."""
    since = which.get("since")
    if since is None:
        return rows
    return rows.filter(pl.col(column) >= (since if since.tzinfo else since.replace(tzinfo=UTC)))


def select_class(rows: pl.LazyFrame, which: ClassFilter) -> pl.LazyFrame:
    """Those of the rows that have the label, and were decided by a person or have at least the probability."""
    if (label := which.get("label")) is not None:
        rows = rows.filter(pl.col("label").is_in(_spellings(label)))
    if (min_probability := which.get("min_probability")) is not None:
        rows = rows.filter((pl.col("probability") >= min_probability) | (pl.col("source") == DECISION))
    return rows


def warn_unknown(lake: Lake, finished: pl.DataFrame, which: RowFilter) -> None:
    """UnknownValueWarning if a filter names what none of the runs has; the message names what they have.

    InputError if ``failure`` is none of laketag.schemas.FAILURES.
    """
    applied: RowFilter = {}
    for name in (name for name in NOUNS if which.get(name) is not None):
        value = str(which[name])  # type: ignore[literal-required]  # names of filters
        if name == "label" and value == NONE_OF_THESE:
            continue
        if name == "failure" and value not in FAILURES:
            raise InputError(f"there is no failure {value!r}; choose from {', '.join(FAILURES)}")
        known = _known_values(lake, select_runs(finished, applied), name)
        one, many = NOUNS[name]
        if known.isdisjoint(_spellings(value) if name == "label" else [value]):
            within = ", ".join(f"{NOUNS[name][0]} {value!r}" for name, value in applied.items())
            warnings.warn(
                f"{lake.root} has no {one} {value!r}"
                + (f" in the finished runs of {within}" if within else "")
                + f"; {name_known(value, known, many)}",
                UnknownValueWarning,
                stacklevel=4,  # the caller of a query
            )
            return
        applied |= {name: value}  # type: ignore[misc]  # names of filters


def name_known(value: str, known: Collection[str], nouns: str) -> str:
    """All of a few known values, or the nearest of many, in words."""
    names = sorted(known)
    if len(names) <= ALL_OF:
        return f"its {nouns}: {', '.join(names) or 'none'}"
    by_folded = {name.casefold(): name for name in names}
    near: Sequence[str] = difflib.get_close_matches(value.casefold(), by_folded, NEAREST, cutoff=0.5)
    if not near:
        return f"none of its {len(names):,} {nouns} is similar; they begin with {', '.join(names[:NEAREST])}"
    return f"the nearest of its {len(names):,} {nouns}: {', '.join(by_folded[name] for name in near)}"


def _spellings(label: str) -> tuple[str, str]:
    return label, normalise_text(label)


def _known_values(lake: Lake, runs: pl.DataFrame, name: str) -> set[str]:
    """The values of the filter that the runs have."""
    if name == "label":
        return _known_classes(lake, runs)
    if name == "failure":
        return set(runs["failures"].explode().struct.field("reason").drop_nulls())
    return set(runs[name])


def _known_classes(lake: Lake, runs: pl.DataFrame) -> set[str]:
    """The classes of the runs' descriptions; where a version of them is gone, those of the runs' tags."""
    classes: set[str] = set()
    for (set_name, version), described in runs.group_by("description_set", "description_version"):
        url = description_url(lake, str(set_name), str(version))
        with store_errors(lake.root):
            try:
                names = scan_table([url], Descriptions, lake.storage).select("class_name").collect()
            except (StorageError, FileNotFoundError):
                tags = scan_labels(lake, described).select(pl.col("tags").explode().struct.field("label"))
                names = tags.drop_nulls().unique().collect()
        classes |= set(names.to_series())
    return classes
