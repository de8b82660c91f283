"""One row of the table of ``make bench``, and which names of it have rows."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """A comparison within one process: what was measured without and with something, and their ratio."""

    what: str
    without: str
    with_: str
    ratio: str
    note: str = ""


def seconds_row(what: str, without_s: float, with_s: float, note: str = "") -> Row:
    """How many times as fast it is with it."""
    return Row(
        what=what,
        without=f"{without_s:.3g} s",
        with_=f"{with_s:.3g} s",
        ratio=f"{without_s / with_s:.2f}",
        note=note,
    )
