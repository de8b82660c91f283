"""``laketag query``: query the tables of a lake."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any, Literal

import polars as pl
import typer

from laketag.jobs.console import open_console, write_out
from laketag.jobs.options import SHARED, argument, option, value
from laketag.jobs.query_tables import OTHER_TAGS, QUERIES
from laketag.jobs.result_table import Columns, print_rows
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.current_rows import CURRENT
from laketag.pipeline.lake.decided_rows import CLASSIFIER
from laketag.pipeline.lake.filters import (
    UnknownValueWarning,
)
from laketag.pipeline.lake.query_errors import query_errors
from laketag.pipeline.lake.query_results import as_text, checked_output, write_result
from laketag.pipeline.lake.sql import sql
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from laketag.schemas import Failure

app = typer.Typer(
    help="Query the tables: runs, labels, those in doubt, tags, failures, a summary, decisions, nights, or SQL.",
    no_args_is_help=True,
)
ROWS_OF_A_TABLE = 20
MARKS = {"status": CURRENT, "stale": 0, "removed": 0, "source": CLASSIFIER, "decided": 0}
"""Columns that a printed table has only if a row has another value than this."""


OPTIONS = SHARED | {
    # the filters of laketag.pipeline.lake.filters
    "collection": option(str, "--collection", "-c", help="Only this collection."),
    "description_set": option(str, "--set", "-s", help="Only this description set (also --description-set)."),
    "classifier": option(str, "--classifier", help="Only this classifier, even if it is not the newest."),
    "run_id": option(str, "--run-id", help="Exactly the rows of this run (also --run), even if later runs replaced them."),
    "since": option(
        str, "--since", help="Only since a UTC time (2026-11-23, 2026-11-23T18:00), or in the last 7d, 12h or 30m."
    ),
    "also_removed": option(bool, "--also-removed", help="Also images that the newest index does not have any more."),
    "also_abstained": option(
        bool, "--also-abstained", help="Show the best class of images that have abstained, not 'none of these'."
    ),
    "accepted": option(bool, "--accepted", help="Only classes that are over their threshold (laketag calibrate)."),
    "label": option(str, "--label", help="Only this class (also --class)."),
    "min_probability": option(float, "--min-probability", min=0, max=1, help="Only from this probability on."),
    "failure": option(Failure, "--failure", metavar="REASON", help="Only failures for this reason (also --reason)."),
    "query": argument(str, 'For example "SELECT label, count(*) AS images FROM labels GROUP BY label".'),
    "strict": option(bool, "--strict", help="Refuse a filter that names what the lake does not have."),
    # Shown
    "sort": option(str, "--sort", metavar="COLUMN", help="Sort by a column; -COLUMN sorts the largest first."),
    "limit": option(int, "--limit", "-n", min=0, help="At most this many rows; a printed table has 20 by default."),
    "columns": option(str, "--columns", metavar="A,B,…", help="Only these columns; 'all' for every one."),
    "output": option(str, "--output", help="Write a .csv, .json, .ndjson or .parquet file instead: a path, s3://… or az://…."),
    "format": value(Literal["table", "csv", "json", "ndjson"], "--format", help="Format of the printed rows."),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Which rows and columns of a result are shown, where, and the settings that reach the store."""

    sort: str | None = None
    limit: int | None = None
    columns: str | None = None
    output: str | None = None
    format: Literal["table", "csv", "json", "ndjson"] = "table"
    settings: Path | str | None = None
    override: Sequence[str] = ()


def query(name: str, root: str, shown: Shown, *, strict: bool | None = False, **arguments: Any) -> None:
    """The result of a query of laketag.pipeline.lake.queries, or of its ``sql``, printed or written to ``shown.output``."""
    storage = read_settings(shown.settings, shown.override).storage
    if arguments.get("since"):
        arguments["since"] = parse_since(arguments["since"], datetime.now(UTC))
    with _unknown_values(strict):
        call: Callable[..., pl.LazyFrame] = sql if name == "sql" else queries.TABLES[name]
        frame = call(root, storage=storage, **arguments)
    known = frame.collect_schema().names()
    named = list(dict.fromkeys(part.strip() for part in (shown.columns or "").split(",") if part.strip()))
    wanted = known if not named or named == ["all"] else _checked_columns(named, known, "--columns")
    if shown.sort:
        (by,) = _checked_columns([shown.sort.removeprefix("-")], known, "--sort")
        frame = frame.sort(by, descending=shown.sort.startswith("-"), nulls_last=True, maintain_order=True)
    elif shown.output is None and name in QUERIES and QUERIES[name].order:
        frame = frame.sort(QUERIES[name].order)
    rows = frame if shown.limit is None else frame.limit(shown.limit)
    errors = partial(query_errors, root, arguments.get("query"))
    if shown.output is not None:
        url = checked_output(shown.output)
        written = write_result(rows.select(wanted), url, storage, errors)
        plural = "" if written == 1 else "s"
        Screen(open_console()).say(f"{written:,} row{plural} written to {shown.output}")
        return
    with errors():
        if shown.format != "table":
            write_out(as_text(rows.select(wanted).collect(engine="streaming"), shown.format))
            return
        top = rows if shown.limit is not None else frame.limit(ROWS_OF_A_TABLE)
        found, count = pl.collect_all([top, frame.select(pl.len())], engine="streaming")
    columns = Columns(wanted)
    if name in QUERIES and not named:
        columns, found = _with_marks(QUERIES[name].columns, found), _without_first_tag(found)
    print_rows(found, count.item(), open_console(), columns)


def _with_marks(columns: Columns, rows: pl.DataFrame) -> Columns:
    """The columns, and always those of MARKS that tell of an image that is not current."""
    marks = [mark for mark, usual in MARKS.items() if mark in rows.columns and (rows[mark] != usual).any()]
    return Columns((*columns.always, *marks), columns.more)


def _without_first_tag(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with OTHER_TAGS instead of ``tags``: without the label, which is shown beside them."""
    if "tags" not in rows.columns:
        return rows
    pairs = zip(rows["label"], rows["tags"], strict=True)
    others = [[tag for tag in tags if tag["label"] != label] for label, tags in pairs]
    return rows.with_columns(pl.Series("tags", others, rows.schema["tags"])).rename({"tags": OTHER_TAGS})


@contextmanager
def _unknown_values(strict: bool | None) -> Iterator[None]:
    """What a filter names and the lake does not have is printed to standard error; if ``strict``, it is an InputError."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnknownValueWarning)
        yield
    for warning in caught:
        if not issubclass(warning.category, UnknownValueWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif strict:
            raise InputError(str(warning.message))
        else:
            Screen(open_console(stderr=True)).say(str(warning.message), "yellow")


def parse_since(text: str, now: datetime) -> datetime:
    """The time that the text names, with a zone: an ISO date or time (UTC by default), or a span before now."""
    if span := re.fullmatch(r"(\d+)\s*([dhm])", text.strip()):
        unit = {"d": "days", "h": "hours", "m": "minutes"}[span[2]]
        try:
            return now - timedelta(**{unit: int(span[1])})
        except OverflowError:
            raise SettingsError(f"--since {text!r} is before the year 1; write a shorter span") from None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SettingsError(
            f"--since {text!r} is not a time; write 2026-11-23, 2026-11-23T18:00 (UTC) or a span such as 7d, 12h or 30m"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _checked_columns(named: list[str], known: list[str], option: str) -> list[str]:
    if unknown := [name for name in named if name not in known]:
        raise SettingsError(f"{option}: no column {', '.join(unknown)}; choose from {', '.join(known)}")
    return named


def _add_command(name: str, text: str, *, required: Iterable[str], optional: Iterable[str] = ()) -> None:
    """``laketag query NAME`` has these options, and those of Shown."""

    def command(root: str, **values: Any) -> None:
        query(name, root, Shown(**{field.name: values.pop(field.name) for field in fields(Shown)}), **values)

    parameters = [
        *(Parameter(key, Parameter.KEYWORD_ONLY) for key in required),
        *(Parameter(key, Parameter.KEYWORD_ONLY, default=None) for key in optional),
        *signature(Shown).parameters.values(),
    ]
    command.__signature__ = Signature([each.replace(annotation=OPTIONS[each.name]) for each in parameters])  # type: ignore[attr-defined]  # what typer reads
    app.command(name, help=text)(command)


for _name, _query in QUERIES.items():
    _add_command(_name, _query.help, required=["root"], optional=[*_query.filters.__annotations__, "strict"])
_add_command(
    "sql",
    f"Any SELECT over the tables {', '.join(queries.TABLES)}.",
    required=["query", "root"],
    optional=["also_removed", "also_abstained"],
)
