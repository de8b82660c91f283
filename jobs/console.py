"""Where commands print."""

import os
import sys

from rich.console import Console

UNSEEN_WIDTH = 120
"""Of lines that go into a log or a pipe, unless COLUMNS says otherwise."""


def open_console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: names and paths may hold [brackets] and :colons:."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else UNSEEN_WIDTH
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)
