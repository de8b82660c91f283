"""Rows as a table that fits the terminal."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import polars as pl
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

GAP = 2
NARROWEST = 8
"""Text columns are cut to no less than this."""
SHORTENED_IN_THE_MIDDLE = ("uri", "image_id", "run_id", "classifier", "etag", "examples")
"""Both ends of these tell them apart."""


def print_rows(rows: pl.DataFrame, total: int, console: Console, columns: Sequence[str]) -> None:
    """Print the columns of the rows, cut to the console's width, and how many rows there are in all.

    Columns that do not fit side by side are printed below each other.
    """
    shown = rows.select(columns)
    cells = {name: [show_value(value) for value in shown[name]] for name in columns}
    widths = fit_widths(
        {name: max([len(name), *map(len, texts)]) for name, texts in cells.items()},
        {name for name in columns if shown.schema[name].is_numeric() or shown.schema[name].is_temporal()},
        console.width,
    )
    if not shown.is_empty():
        console.print(_as_table(shown, cells, widths) if widths else _as_records(cells, console.width))
    console.print(count_line(shown.height, total, rows.columns, columns), style="dim")


def _as_table(shown: pl.DataFrame, cells: dict[str, list[str]], widths: dict[str, int]) -> Table:
    """One line for each row."""
    table = Table(box=None, padding=(0, GAP, 0, 0), header_style="bold", pad_edge=False)
    for name, width in widths.items():
        justify: Literal["left", "right"] = "right" if shown.schema[name].is_numeric() else "left"
        table.add_column(shorten(name, width, False), justify=justify, no_wrap=True, width=width)
    for number in range(shown.height):
        table.add_row(*(_cell(name, cells[name][number], width) for name, width in widths.items()))
    return table


def _as_records(cells: dict[str, list[str]], width: int) -> Group:
    """One line for each value, and a blank one after each row: for more columns than fit."""
    names = max(map(len, cells))
    rows = zip(*cells.values(), strict=True)
    lines = [
        Text.assemble((f"{name:<{names}}  ", "bold"), _cell(name, text, max(width - names - GAP, NARROWEST)))
        for row in rows
        for name, text in [*zip(cells, row, strict=True), ("", "")]
    ]
    return Group(*lines)


def count_line(shown: int, total: int, known: Sequence[str], columns: Sequence[str]) -> str:
    """What the table leaves out, and how to see it."""
    of_rows = f"{total:,} row{'' if total == 1 else 's'}"
    if shown < total:
        of_rows = f"{shown:,} of {of_rows} (--limit {total} shows all)"
    if len(columns) == len(known):
        return of_rows
    return f"{of_rows}, {len(columns)} of {len(known)} columns (--columns all)"


def fit_widths(natural: dict[str, int], stiff: set[str], available: int) -> dict[str, int]:
    """A width for each column, empty if they do not fit; the widest give way first, numbers and times never.

    Columns are cut to their names, and only if that is not enough to NARROWEST.
    """
    room = available - GAP * len(natural)
    for narrowest in (
        {name: max(NARROWEST, len(name)) for name in natural},
        dict.fromkeys(natural, NARROWEST),
    ):
        widths = dict(natural)
        while (over := sum(widths.values()) - room) > 0:
            soft = {n: width for n, width in widths.items() if n not in stiff and width > narrowest[n]}
            if not soft:
                break
            widest = max(soft, key=lambda name: soft[name])
            second = max([narrowest[widest], *(width for name, width in soft.items() if name != widest)])
            widths[widest] -= min(over, max(1, widths[widest] - second))
        else:
            return widths
    return {}


def shorten(text: str, width: int, in_the_middle: bool) -> str:
    """The text in at most so many characters, cut at its end or in its middle."""
    if len(text) <= width:
        return text
    if not in_the_middle or width < 3:
        return text[: width - 1] + "…"
    head = (width - 1) // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def show_value(value: Any) -> str:
    """The value in one short line: floats with three digits, times in UTC to the second, nested values in words."""
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
            return ", ".join(map(show_value, value)) or "–"  # same
        case dict():
            return json.dumps(value, default=str, ensure_ascii=False)
        case _:
            return " ".join(str(value).split())


def _cell(name: str, text: str, width: int) -> Text:
    styles = {"label": "green", "tag": "green", "failure": "yellow"}
    return Text(shorten(text, width, name in SHORTENED_IN_THE_MIDDLE), style=styles.get(name, ""))
