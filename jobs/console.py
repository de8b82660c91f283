"""Where commands print: consoles, and a standard output that may be closed, full or in another encoding."""

import copy
import io
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from laketag.pipeline.screen import Screen

UNSEEN_WIDTH = 120
"""Characters of a line that goes into a log or a pipe, unless COLUMNS says otherwise."""


def open_console(*, stderr: bool = False) -> Console:
    """A console that prints text unchanged: names and paths may hold [brackets] and :colons:."""
    stream = sys.stderr if stderr else sys.stdout
    replace_unknown_characters(stream)
    width = None if stream.isatty() or "COLUMNS" in os.environ else UNSEEN_WIDTH
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def open_screen(console: Console | None, *, verbose: bool = False, as_json: bool = False) -> Screen:
    """Where a command prints sentences: on standard error if it prints JSON; nowhere without a console."""
    if as_json and console is not None:
        console = open_console(stderr=True)
    return Screen(literal_console(console), verbose)


def write_json(value: dict[str, Any]) -> None:
    """The value is written to standard output as one line of JSON."""
    write_out(json.dumps(value) + "\n")


def counts_table() -> Table:
    """An empty table of names and their counts, without lines and headings."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    return table


def write_out(text: str) -> None:
    """The text is written to standard output; characters that its encoding lacks appear as question marks."""
    replace_unknown_characters(sys.stdout)
    sys.stdout.write(text)
    sys.stdout.flush()


def replace_unknown_characters(stream: TextIO) -> None:
    """Characters that the stream's encoding lacks, as latin-1 has no ellipsis, appear as question marks."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="replace")


def replace_closed_streams() -> None:
    """Standard output and standard error are files, also for a process that was started without (``>&-``)."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # for good


def discard_output() -> None:
    """Standard output points at /dev/null, so that the interpreter's flush at exit does not raise again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def literal_console(console: Console | None) -> Console:
    """The console, or a quiet one without it, that prints text as it is: texts and paths may hold [brackets]."""
    literal = copy.copy(console) if console else Console(quiet=True)
    literal._markup = literal._emoji = literal._highlight = False  # rich sets them in its constructor only
    return literal
