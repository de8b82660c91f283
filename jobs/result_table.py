"""Rows as a table that fits the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from laketag.jobs.shown_values import common_folder, shorten, show_value

GAP = 2
UNLIMITED = 10_000
NARROWEST = 8
"""Cells that are always left of a text column."""
ROOMY = 30
"""Cells of text that are left of a column before another one is shown beside it."""
URIS = ("uri", "examples")
UNCUT = ("run_id", "classifier")
"""Columns of text that only serves if it is whole."""
SHORTENED_IN_THE_MIDDLE = ("uri", "image_id", "etag")
"""Columns whose values differ at both ends."""
STYLES = {"label": "green", "failure": "yellow"}


@dataclass(frozen=True)
class Columns:
    """Which columns a table shows: these always, and of ``more`` those that hold a value and leave all others ROOMY."""

    always: Sequence[str]
    more: Sequence[str] = ()


@dataclass(frozen=True)
class Cell:
    """A value on one line: rich decides its width, and what does not fit is cut, to ``narrowest`` at most."""

    column: str
    text: str
    narrowest: int | None = NARROWEST  # None: it is never cut

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        natural = cell_len(self.text)
        return Measurement(natural if self.narrowest is None else min(self.narrowest, natural), natural)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        in_the_middle = self.column in SHORTENED_IN_THE_MIDDLE
        yield Text(shorten(self.text, options.max_width, in_the_middle), style=STYLES.get(self.column, ""))


def print_rows(rows: pl.DataFrame, total: int, console: Console, columns: Columns) -> None:
    """Print columns of the rows, cut to the console's width, and how many rows there are in all.

    The folder that all URIs have in common is printed once, above them. Text is cut to no less than NARROWEST, numbers,
    times and ids never. Columns that do not fit side by side are printed below each other.
    """
    shown = rows.select(columns.always)
    if not shown.is_empty():
        folder = common_folder(
            _uris(rows, [name for name in URIS if name in (*columns.always, *columns.more)])
        )
        if folder:
            console.print(f"in {show_value(folder)}", style="dim", soft_wrap=True)
        for name in columns.more:
            wider = rows.select(column for column in rows.columns if column in (*shown.columns, name))
            if (
                rows[name].null_count() < rows.height
                and _needed(wider, folder, console, ROOMY) <= console.width
            ):
                shown = wider
        fits = _needed(shown, folder, console, NARROWEST) <= console.width
        console.print(_as_table(shown, folder) if fits else _as_records(shown, folder))
    console.print(count_line(shown.height, total, rows.columns, shown.columns), style="dim")


def count_line(shown: int, total: int, known: Sequence[str], columns: Sequence[str]) -> str:
    """How many rows and columns the table leaves out, and how to see them."""
    of_rows = f"{total:,} row{'' if total == 1 else 's'}"
    if shown < total:
        of_rows = f"{shown:,} of {of_rows} (--limit {total} shows all)"
    if len(columns) == len(known):
        return of_rows
    return f"{of_rows}, {len(columns)} of {len(known)} columns (--columns all)"


def _uris(rows: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    """All URIs in the columns, which hold text or lists of text."""
    found: list[str] = []
    for values in (rows[name] for name in columns if name in rows.columns):
        values = values.explode() if isinstance(values.dtype, pl.List) else values
        found += values.drop_nulls().to_list() if values.dtype == pl.String else []
    return found


def _needed(shown: pl.DataFrame, folder: str, console: Console, narrowest: int) -> int:
    """Cells that a table needs if columns of text are cut to no less than ``narrowest``."""
    options = console.options.update(max_width=UNLIMITED)
    return Measurement.get(console, options, _as_table(shown, folder, narrowest)).minimum


def _as_table(shown: pl.DataFrame, folder: str, narrowest: int = NARROWEST) -> Table:
    """One line for each row."""
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold", pad_edge=False)
    columns = []
    for values in shown:
        number = values.dtype.is_numeric()
        uncut = number or values.dtype.is_temporal() or values.name in UNCUT
        header = Cell("", values.name, None if uncut else narrowest)
        table.add_column(header, justify="right" if number else "left", no_wrap=uncut)
        texts = [_show(values.name, value, folder) for value in values]
        columns.append([Cell(values.name, text, None if uncut else narrowest) for text in texts])
    for row in zip(*columns, strict=True):
        table.add_row(*row)
    return table


def _as_records(shown: pl.DataFrame, folder: str) -> Table:
    """One line for each value, and an empty one after each row."""
    table = Table(box=None, padding=(0, GAP, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    for row in shown.iter_rows(named=True):
        for name, value in row.items():
            table.add_row(name, Cell(name, _show(name, value, folder)))
        table.add_row()
    return table


def _show(column: str, value: object, folder: str) -> str:
    """The value as text; URIs without the folder that all have in common."""
    if column in URIS and isinstance(value, str):
        value = value.removeprefix(folder)
    elif column in URIS and isinstance(value, pl.Series | list):
        value = [uri.removeprefix(folder) if isinstance(uri, str) else uri for uri in value]
    return show_value(value)
