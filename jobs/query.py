"""``laketag query``: what a lake says."""

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import polars as pl
import typer

from laketag.jobs.console import open_console
from laketag.jobs.options import Overrides, Root, SettingsFile, grouped
from laketag.jobs.result_table import print_rows
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.queries import RowFilter
from laketag.pipeline.lake.query_results import as_text, checked_output, query_errors, write_result
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.settings_file import read_settings
from laketag.schemas import Failure

ROWS_OF_A_TABLE = 20
SHOWN_COLUMNS = {
    "runs": (
        "run_id", "collection", "description_set", "planned", "labelled", "failures", "images_per_s", "finished_at",
    ),
    "labels": ("uri", "label", "probability", "margin", "tags", "evidence"),
    "tags": ("uri", "tag", "probability", "rank"),
    "failures": ("uri", "failure", "failure_detail", "attempts", "labelled_at"),
    "summary": ("collection", "description_set", "label", "images", "mean_probability", "examples"),
}  # fmt: skip
"""What the printed tables show unless --columns says otherwise; files hold all columns."""

app = typer.Typer(
    help="Ask the label tables: runs, labels, tags, failures, a summary, or SQL.", no_args_is_help=True
)


@dataclass(frozen=True, kw_only=True)
class RowFilters:
    """Which rows are asked for."""

    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Only this collection.", show_default=False)
    ] = None
    set_name: Annotated[
        str | None, typer.Option("--set", "-s", help="Only this description set.", show_default=False)
    ] = None
    classifier: Annotated[
        str | None,
        typer.Option(
            "--classifier", help="Only this classifier, also if it is not the newest.", show_default=False
        ),
    ] = None
    run: Annotated[
        str | None,
        typer.Option("--run", help="Exactly this run's rows, also replaced ones.", show_default=False),
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Made since a UTC time (2026-11-23, 2026-11-23T18:00) or for so long (7d, 12h).",
            show_default=False,
        ),
    ] = None

    def as_which(self) -> RowFilter:
        """The filters as laketag.pipeline.lake.queries names them."""
        return {
            "collection": self.collection,
            "description_set": self.set_name,
            "classifier": self.classifier,
            "run": self.run,
            "since": parse_since(self.since, datetime.now(UTC)) if self.since else None,
        }


@dataclass(frozen=True, kw_only=True)
class ClassFilters:
    """Which classes are asked for."""

    label: Annotated[str | None, typer.Option("--class", help="Only this class.", show_default=False)] = None
    min_probability: Annotated[
        float | None,
        typer.Option(
            "--min-probability", min=0, max=1, help="Only from this probability on.", show_default=False
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What becomes of the answer."""

    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="COLUMN",
            help="Sort by a column; -COLUMN begins with the largest.",
            show_default=False,
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            min=0,
            help="At most so many rows; a printed table has 20 unless told.",
            show_default=False,
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns", metavar="A,B,…", help="Only these columns; 'all' for every one.", show_default=False
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            help="Write a .csv, .json, .ndjson or .parquet file or s3:// object instead.",
            show_default=False,
        ),
    ] = None
    format: Annotated[
        Literal["table", "csv", "json", "ndjson"], typer.Option("--format", help="How to print.")
    ] = "table"
    settings: SettingsFile = None
    override: Overrides = None


@app.command()
@grouped
def runs(root: Root, rows: RowFilters, shown: Shown) -> None:
    """Finished runs, oldest first: what was planned and labelled, what failed, how fast."""
    storage = _storage(root, shown)
    _show("runs", root, queries.runs(root, storage=storage, **rows.as_which()), shown, storage)


@app.command()
@grouped
def labels(root: Root, rows: RowFilters, classes: ClassFilters, shown: Shown) -> None:
    """The latest label of each image."""
    storage = _storage(root, shown)
    frame = queries.labels(root, **vars(classes), storage=storage, **rows.as_which())
    _show("labels", root, frame, shown, storage)


@app.command()
@grouped
def tags(root: Root, rows: RowFilters, classes: ClassFilters, shown: Shown) -> None:
    """One row for each image and each of its most probable classes."""
    storage = _storage(root, shown)
    frame = queries.tags(root, **vars(classes), storage=storage, **rows.as_which())
    _show("tags", root, frame, shown, storage)


@app.command()
@grouped
def failures(
    root: Root,
    rows: RowFilters,
    shown: Shown,
    reason: Annotated[
        Failure | None,
        typer.Option("--reason", metavar="REASON", help="Only failures for this reason.", show_default=False),
    ] = None,
) -> None:
    """Images that have no label, and why."""
    storage = _storage(root, shown)
    frame = queries.failures(root, reason=reason, storage=storage, **rows.as_which())
    _show("failures", root, frame, shown, storage)


@app.command()
@grouped
def summary(root: Root, rows: RowFilters, classes: ClassFilters, shown: Shown) -> None:
    """For each class how many images, their mean probability, and the most probable ones."""
    storage = _storage(root, shown)
    frame = queries.summary(root, **vars(classes), storage=storage, **rows.as_which())
    _show("summary", root, frame, shown, storage)


@app.command()
@grouped
def sql(
    query: Annotated[
        str, typer.Argument(help='Such as "SELECT label, count(*) AS images FROM labels GROUP BY label".')
    ],
    root: Root,
    shown: Shown,
) -> None:
    """Any SELECT over the tables runs, labels, tags, failures and summary."""
    storage = _storage(root, shown)
    _show("sql", root, queries.sql(root, query, storage=storage), shown, storage)


def parse_since(text: str, now: datetime) -> datetime:
    """The moment that the text names, with a zone: an ISO date or time (UTC unless it says), or a span before now."""
    if span := re.fullmatch(r"(\d+)\s*([dhm])", text.strip()):
        unit = {"d": "days", "h": "hours", "m": "minutes"}[span[2]]
        try:
            return now - timedelta(**{unit: int(span[1])})
        except OverflowError:
            raise SettingsError(f"--since {text!r} is before all times; write a shorter span") from None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SettingsError(
            f"--since {text!r} is no time; write 2026-11-23, 2026-11-23T18:00 (UTC) or a span such as 7d, 12h or 30m"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _storage(root: str, shown: Shown) -> StorageSettings:
    """How the lake is reached; InputError if nothing was ever labelled under the root."""
    storage = read_settings(shown.settings, shown.override or ()).storage
    if read_runs(open_lake(root, storage)).is_empty():
        raise InputError(
            f"{root} holds no finished run, so there is nothing to ask; correct --root, or label with: "
            f"laketag label --root {root} --collection C --set S"
        )
    return storage


def _show(table: str, root: str, frame: pl.LazyFrame, shown: Shown, storage: StorageSettings) -> None:
    """Write the rows to the output, or print them."""
    known = frame.collect_schema().names()
    named = list(dict.fromkeys(name.strip() for name in (shown.columns or "").split(",") if name.strip()))
    wanted = known if not named or named == ["all"] else _checked_columns(named, known, "--columns")
    if shown.sort:
        (by,) = _checked_columns([shown.sort.removeprefix("-")], known, "--sort")
        frame = frame.sort(by, descending=shown.sort.startswith("-"), nulls_last=True, maintain_order=True)
    console = open_console()
    if shown.output is not None:
        write_result(_limited(frame, shown.limit).select(wanted), checked_output(shown.output), storage)
        console.print(f"written: {shown.output}", soft_wrap=True)
        return
    with query_errors(root):
        if shown.format != "table":
            answer = _limited(frame, shown.limit).select(wanted).collect(engine="streaming")
            sys.stdout.write(as_text(answer, shown.format))
            return
        top = frame.limit(ROWS_OF_A_TABLE if shown.limit is None else shown.limit)
        rows, count = pl.collect_all([top, frame.select(pl.len())], engine="streaming")
    visible = wanted if named else [name for name in SHOWN_COLUMNS.get(table, known) if name in known]
    print_rows(rows, count.item(), console, visible)


def _limited(frame: pl.LazyFrame, limit: int | None) -> pl.LazyFrame:
    return frame if limit is None else frame.limit(limit)


def _checked_columns(named: list[str], known: list[str], option: str) -> list[str]:
    if unknown := [name for name in named if name not in known]:
        raise SettingsError(f"{option}: no column {', '.join(unknown)}; there are {', '.join(known)}")
    return named
