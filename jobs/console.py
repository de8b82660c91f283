"""Where commands print."""

from rich.console import Console


def open_console(*, stderr: bool = False, width: int | None = None) -> Console:
    """A console that prints text as it is: names and paths may hold [brackets] and :colons:."""
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)
