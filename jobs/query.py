"""``laketag query``: what a lake says."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import polars as pl
import typer

from jobs.console import open_console
from jobs.options import Overrides, Root, SettingsFile
from jobs.result_table import print_rows
from pipeline import queries
from pipeline.config import Settings, read_settings
from pipeline.errors import InputError, SettingsError
from pipeline.lake import open_lake
from pipeline.queries import Which
from pipeline.storage.query_results import answer_errors, as_text, checked_output, write_result
from pipeline.storage.runs import read_runs
from schemas import Failure

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

CollectionFilter = Annotated[
    str | None, typer.Option("--collection", "-c", help="Only this collection.", show_default=False)
]
SetFilter = Annotated[
    str | None, typer.Option("--set", "-s", help="Only this description set.", show_default=False)
]
ClassifierFilter = Annotated[
    str | None,
    typer.Option(
        "--classifier", help="Only this classifier, also if it is not the newest.", show_default=False
    ),
]
RunFilter = Annotated[
    str | None, typer.Option("--run", help="Exactly this run's rows, also replaced ones.", show_default=False)
]
SinceFilter = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="Made since a UTC time (2026-11-23, 2026-11-23T18:00) or for so long (7d, 12h).",
        show_default=False,
    ),
]
ClassFilter = Annotated[str | None, typer.Option("--class", help="Only this class.", show_default=False)]
ProbabilityFilter = Annotated[
    float | None,
    typer.Option(
        "--min-probability", min=0, max=1, help="Only from this probability on.", show_default=False
    ),
]
ReasonFilter = Annotated[
    Failure | None,
    typer.Option("--reason", metavar="REASON", help="Only failures for this reason.", show_default=False),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        "-n",
        min=0,
        help="At most so many rows; a printed table has 20 unless told.",
        show_default=False,
    ),
]
Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="COLUMN",
        help="Sort by a column; -COLUMN begins with the largest.",
        show_default=False,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns", metavar="A,B,…", help="Only these columns; 'all' for every one.", show_default=False
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        help="Write a .csv, .json, .ndjson or .parquet file or s3:// object instead.",
        show_default=False,
    ),
]
Format = Annotated[Literal["table", "csv", "json", "ndjson"], typer.Option("--format", help="How to print.")]


@app.command()
def runs(
    root: Root, collection: CollectionFilter = None, set_name: SetFilter = None, classifier: ClassifierFilter = None,
    run: RunFilter = None, since: SinceFilter = None, sort: Sort = None, limit: Limit = None, columns: Columns = None,
    output: Output = None, format: Format = "table", settings: SettingsFile = None, override: Overrides = None,
) -> None:  # fmt: skip
    """Finished runs, oldest first: what was planned and labelled, what failed, how fast."""
    chosen = _chosen(root, settings, override)
    frame = queries.runs(root, storage=chosen.storage, **_which(collection, set_name, classifier, run, since))
    _show("runs", root, frame, chosen, sort, limit, columns, output, format)


@app.command()
def labels(
    root: Root, collection: CollectionFilter = None, set_name: SetFilter = None, classifier: ClassifierFilter = None,
    run: RunFilter = None, since: SinceFilter = None, label: ClassFilter = None, min_probability: ProbabilityFilter = None,
    sort: Sort = None, limit: Limit = None, columns: Columns = None, output: Output = None, format: Format = "table",
    settings: SettingsFile = None, override: Overrides = None,
) -> None:  # fmt: skip
    """The latest label of each image."""
    chosen = _chosen(root, settings, override)
    which = _which(collection, set_name, classifier, run, since)
    frame = queries.labels(
        root, label=label, min_probability=min_probability, storage=chosen.storage, **which
    )
    _show("labels", root, frame, chosen, sort, limit, columns, output, format)


@app.command()
def tags(
    root: Root, collection: CollectionFilter = None, set_name: SetFilter = None, classifier: ClassifierFilter = None,
    run: RunFilter = None, since: SinceFilter = None, label: ClassFilter = None, min_probability: ProbabilityFilter = None,
    sort: Sort = None, limit: Limit = None, columns: Columns = None, output: Output = None, format: Format = "table",
    settings: SettingsFile = None, override: Overrides = None,
) -> None:  # fmt: skip
    """One row for each image and each of its most probable classes."""
    chosen = _chosen(root, settings, override)
    which = _which(collection, set_name, classifier, run, since)
    frame = queries.tags(root, label=label, min_probability=min_probability, storage=chosen.storage, **which)
    _show("tags", root, frame, chosen, sort, limit, columns, output, format)


@app.command()
def failures(
    root: Root, collection: CollectionFilter = None, set_name: SetFilter = None, classifier: ClassifierFilter = None,
    run: RunFilter = None, since: SinceFilter = None, reason: ReasonFilter = None, sort: Sort = None, limit: Limit = None,
    columns: Columns = None, output: Output = None, format: Format = "table", settings: SettingsFile = None,
    override: Overrides = None,
) -> None:  # fmt: skip
    """Images that have no label, and why."""
    chosen = _chosen(root, settings, override)
    which = _which(collection, set_name, classifier, run, since)
    frame = queries.failures(root, reason=reason, storage=chosen.storage, **which)
    _show("failures", root, frame, chosen, sort, limit, columns, output, format)


@app.command()
def summary(
    root: Root, collection: CollectionFilter = None, set_name: SetFilter = None, classifier: ClassifierFilter = None,
    run: RunFilter = None, since: SinceFilter = None, label: ClassFilter = None, min_probability: ProbabilityFilter = None,
    sort: Sort = None, limit: Limit = None, columns: Columns = None, output: Output = None, format: Format = "table",
    settings: SettingsFile = None, override: Overrides = None,
) -> None:  # fmt: skip
    """For each class how many images, their mean probability, and the most probable ones."""
    chosen = _chosen(root, settings, override)
    which = _which(collection, set_name, classifier, run, since)
    frame = queries.summary(
        root, label=label, min_probability=min_probability, storage=chosen.storage, **which
    )
    _show("summary", root, frame, chosen, sort, limit, columns, output, format)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help='Such as "SELECT label, count(*) AS images FROM labels GROUP BY label".')],
    root: Root, sort: Sort = None, limit: Limit = None, columns: Columns = None, output: Output = None,
    format: Format = "table", settings: SettingsFile = None, override: Overrides = None,
) -> None:  # fmt: skip
    """Any SELECT over the tables runs, labels, tags, failures and summary."""
    chosen = _chosen(root, settings, override)
    frame = queries.sql(root, query, storage=chosen.storage)
    _show("sql", root, frame, chosen, sort, limit, columns, output, format)


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


def _chosen(root: str, settings: SettingsFile, override: Overrides) -> Settings:
    """The settings; InputError if nothing was ever labelled under the root."""
    chosen = read_settings(settings, override or ())
    if read_runs(open_lake(root, chosen.storage)).is_empty():
        raise InputError(
            f"{root} holds no finished run, so there is nothing to ask; correct --root, or label with: "
            f"laketag label --root {root} --collection C --set S"
        )
    return chosen


def _which(
    collection: str | None, set_name: str | None, classifier: str | None, run: str | None, since: str | None
) -> Which:
    return {
        "collection": collection,
        "description_set": set_name,
        "classifier": classifier,
        "run": run,
        "since": parse_since(since, datetime.now(UTC)) if since else None,
    }


def _show(
    table: str, root: str, frame: pl.LazyFrame, chosen: Settings, sort: str | None, limit: int | None, columns: str | None,
    output: str | None, text_format: Literal["table", "csv", "json", "ndjson"],
) -> None:  # fmt: skip
    """Write the rows to the output, or print them."""
    known = frame.collect_schema().names()
    named = list(dict.fromkeys(name.strip() for name in (columns or "").split(",") if name.strip()))
    wanted = known if not named or named == ["all"] else _checked_columns(named, known, "--columns")
    if sort:
        (by,) = _checked_columns([sort.removeprefix("-")], known, "--sort")
        frame = frame.sort(by, descending=sort.startswith("-"), nulls_last=True, maintain_order=True)
    console = open_console()
    if output is not None:
        write_result(_limited(frame, limit).select(wanted), checked_output(output), chosen.storage)
        console.print(f"written: {output}", soft_wrap=True)
        return
    with answer_errors(root):
        if text_format != "table":
            answer = _limited(frame, limit).select(wanted).collect(engine="streaming")
            sys.stdout.write(as_text(answer, text_format))
            return
        top = frame.limit(ROWS_OF_A_TABLE if limit is None else limit)
        rows, count = pl.collect_all([top, frame.select(pl.len())], engine="streaming")
    shown = wanted if named else [name for name in SHOWN_COLUMNS.get(table, known) if name in known]
    print_rows(rows, count.item(), console, shown)


def _limited(frame: pl.LazyFrame, limit: int | None) -> pl.LazyFrame:
    return frame if limit is None else frame.limit(limit)


def _checked_columns(named: list[str], known: list[str], option: str) -> list[str]:
    if unknown := [name for name in named if name not in known]:
        raise SettingsError(f"{option}: no column {', '.join(unknown)}; there are {', '.join(known)}")
    return named
