"""``laketag query``: query the tables of a lake."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import typer

from laketag.jobs.console import open_console
from laketag.jobs.options import SHARED
from laketag.jobs.result_table import print_rows
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.queries import ClassFilter, FailureFilter, RowFilter
from laketag.pipeline.lake.query_results import as_text, checked_output, query_errors, write_result
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.settings_file import read_settings
from laketag.schemas import Failure

app = typer.Typer(
    help="Query the label tables: runs, labels, tags, failures, a summary, or SQL.", no_args_is_help=True
)
ROWS_OF_A_TABLE = 20


def _option(kind: Any, *names: str, **more: Any) -> Any:
    return Annotated[kind | None, typer.Option(*names, show_default=False, **more)]


OPTIONS = SHARED | {
    # the filters of laketag.pipeline.lake.queries
    "collection": _option(str, "--collection", "-c", help="Only this collection."),
    "description_set": _option(str, "--set", "-s", help="Only this description set."),
    "classifier": _option(str, "--classifier", help="Only this classifier, even if it is not the newest."),
    "run": _option(str, "--run", help="Exactly the rows of this run, even if later runs replaced them."),
    "since": _option(
        str, "--since", help="Only since a UTC time (2026-11-23, 2026-11-23T18:00), or in the last 7d, 12h or 30m."
    ),
    "label": _option(str, "--class", help="Only this class."),
    "min_probability": _option(float, "--min-probability", min=0, max=1, help="Only from this probability on."),
    "reason": _option(Failure, "--reason", metavar="REASON", help="Only failures for this reason."),
    "query": Annotated[
        str,
        typer.Argument(help='For example "SELECT label, count(*) AS images FROM labels GROUP BY label".'),
    ],
    # Shown
    "sort": _option(str, "--sort", metavar="COLUMN", help="Sort by a column; -COLUMN sorts the largest first."),
    "limit": _option(int, "--limit", "-n", min=0, help="At most this many rows; a printed table has 20 by default."),
    "columns": _option(str, "--columns", metavar="A,B,…", help="Only these columns; 'all' for every one."),
    "output": _option(str, "--output", help="Write a .csv, .json, .ndjson or .parquet file or s3:// object instead."),
    "format": Annotated[
        Literal["table", "csv", "json", "ndjson"], typer.Option("--format", help="Format of the printed rows.")
    ],
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


@dataclass(frozen=True)
class Query:
    """One of the queries: its help, its filters, and the columns that a printed table shows unless --columns is given."""

    help: str
    filters: type[RowFilter]
    columns: tuple[str, ...]


QUERIES = {
    "runs": Query(
        "Finished runs, oldest first: what was planned and labelled, what failed, how fast.",
        RowFilter,
        ("run_id", "collection", "description_set", "planned", "labelled", "failures", "images_per_s", "finished_at"),
    ),
    "labels": Query(
        "The latest label of each image.",
        ClassFilter,
        ("uri", "label", "probability", "margin", "tags", "evidence"),
    ),
    "tags": Query(
        "One row for each image and each of its most probable classes.",
        ClassFilter,
        ("uri", "tag", "probability", "rank"),
    ),
    "failures": Query(
        "Images that have no label, and why.",
        FailureFilter,
        ("uri", "failure", "failure_detail", "attempts", "labelled_at"),
    ),
    "summary": Query(
        "For each class the number of images, their mean probability, and the most probable images.",
        ClassFilter,
        ("collection", "description_set", "label", "images", "mean_probability", "examples"),
    ),
}  # fmt: skip


def query(name: str, root: str, shown: Shown, **arguments: Any) -> None:
    """The result of a query of laketag.pipeline.lake.queries, printed or written to ``shown.output``."""
    storage = read_settings(shown.settings, shown.override).storage
    if read_runs(open_lake(root, storage)).is_empty():
        raise InputError(
            f"{root} holds no finished run, so there is nothing to query; correct --root, or label with: "
            f"laketag label --root {root} --collection C --set S"
        )
    if arguments.get("since"):
        arguments["since"] = parse_since(arguments["since"], datetime.now(UTC))
    frame: pl.LazyFrame = getattr(queries, name)(root, storage=storage, **arguments)
    known = frame.collect_schema().names()
    if shown.sort:
        (by,) = _checked_columns([shown.sort.removeprefix("-")], known, "--sort")
        frame = frame.sort(by, descending=shown.sort.startswith("-"), nulls_last=True, maintain_order=True)
    named = list(dict.fromkeys(part.strip() for part in (shown.columns or "").split(",") if part.strip()))
    wanted = known if not named or named == ["all"] else _checked_columns(named, known, "--columns")
    rows = frame if shown.limit is None else frame.limit(shown.limit)
    if shown.output is not None:
        write_result(rows.select(wanted), checked_output(shown.output), storage)
        open_console().print(f"written: {shown.output}", soft_wrap=True)
        return
    with query_errors(root):
        if shown.format != "table":
            sys.stdout.write(as_text(rows.select(wanted).collect(engine="streaming"), shown.format))
            return
        top = rows if shown.limit is not None else frame.limit(ROWS_OF_A_TABLE)
        found, count = pl.collect_all([top, frame.select(pl.len())], engine="streaming")
    if not named and name in QUERIES:
        wanted = [column for column in QUERIES[name].columns if column in known]
    print_rows(found, count.item(), open_console(), wanted)


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
    _add_command(_name, _query.help, required=["root"], optional=_query.filters.__annotations__)
_add_command(
    "sql",
    "Any SELECT over the tables runs, labels, tags, failures and summary.",
    required=["query", "root"],
)
