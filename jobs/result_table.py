"""Rows as a table that fits the terminal."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

GAP = 2
UNLIMITED = 10_000
NARROWEST = 8
"""Characters that are always left of a text column."""
SHORTENED_IN_THE_MIDDLE = ("uri", "image_id", "run_id", "classifier", "etag", "examples")
"""Columns whose values differ at both ends."""
STYLES = {"label": "green", "tag": "green", "failure": "yellow"}


@dataclass(frozen=True)
class Cell:
    """A value on one line: rich decides its width, and what does not fit is cut, unless it is ``uncut``."""

    column: str
    text: str
    uncut: bool = False

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        natural = len(self.text)
        return Measurement(natural if self.uncut else min(NARROWEST, natural), natural)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        in_the_middle = self.column in SHORTENED_IN_THE_MIDDLE
        yield Text(shorten(self.text, options.max_width, in_the_middle), style=STYLES.get(self.column, ""))


def print_rows(rows: pl.DataFrame, total: int, console: Console, columns: Sequence[str]) -> None:
    """Print the columns of the rows, cut to the console's width, and how many rows there are in all.

    Text is cut to no less than NARROWEST, numbers and times never. Columns that do not fit side by side are printed
    below each other.
    """
    shown = rows.select(columns)
    if not shown.is_empty():
        table = _as_table(shown)
        needed = Measurement.get(console, console.options.update(max_width=UNLIMITED), table).minimum
        console.print(table if needed <= console.width else _as_records(shown))
    console.print(count_line(shown.height, total, rows.columns, columns), style="dim")


def _as_table(shown: pl.DataFrame) -> Table:
    """One line for each row."""
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold", pad_edge=False)
    columns = []
    for values in shown:
        number = values.dtype.is_numeric()
        uncut = number or values.dtype.is_temporal()
        header = Cell("", values.name, uncut)
        table.add_column(header, justify="right" if number else "left", no_wrap=uncut)
        columns.append([Cell(values.name, show_value(value), uncut) for value in values])
    for row in zip(*columns, strict=True):
        table.add_row(*row)
    return table


def _as_records(shown: pl.DataFrame) -> Table:
    """One line for each value, and an empty one after each row."""
    table = Table(box=None, padding=(0, GAP, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    for row in shown.iter_rows(named=True):
        for name, value in row.items():
            table.add_row(name, Cell(name, show_value(value)))
        table.add_row()
    return table


def count_line(shown: int, total: int, known: Sequence[str], columns: Sequence[str]) -> str:
    """How many rows and columns the table leaves out, and how to see them."""
    of_rows = f"{total:,} row{'' if total == 1 else 's'}"
    if shown < total:
        of_rows = f"{shown:,} of {of_rows} (--limit {total} shows all)"
    if len(columns) == len(known):
        return of_rows
    return f"{of_rows}, {len(columns)} of {len(known)} columns (--columns all)"


def shorten(text: str, width: int, in_the_middle: bool) -> str:
    """The text in at most ``width`` characters, cut at its end or in its middle."""
    if len(text) <= width:
        return text
    if not in_the_middle or width < 3:
        return text[: width - 1] + "…"
    head = (width - 1) // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def show_value(value: Any) -> str:
    """The value on one short line: floats with three digits, times in UTC to the second, nested values in words."""
    match value:
        case None:
            return "–"  # a dash is meant
        case float():
            return f"{value:.3f}" if abs(value) < 1e6 else f"{value:.3e}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
        case {"label": label, "probability": probability}:
            return f"{label} {probability:.2f}"
        case {"reason": reason, "images": images}:
            return f"{reason} {images:,}"
        case {"x0_px": x0, "y0_px": y0, "x1_px": x1, "y1_px": y1, "description": description}:
            return f"{description} [{x0},{y0} to {x1},{y1}]"
        case pl.Series() | list():
            return ", ".join(map(show_value, value)) or "–"  # a dash is meant
        case dict():
            return json.dumps(value, default=str, ensure_ascii=False)
        case _:
            return " ".join(str(value).split())
