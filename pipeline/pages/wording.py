"""How pages write numbers, times and long texts."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from laketag.pipeline.progress.estimate import name_duration

MOST_CHARACTERS = 240
"""Of a text that others wrote, such as a URI; the middle of a longer one is left out."""
UNKNOWN = "–"


def count(number: float | None) -> str:
    """A whole number with separators."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def percent(share: float | None, digits: int = 0) -> str:
    """A share of 1 as a percentage."""
    return UNKNOWN if share is None else f"{share:.{digits}%}"


def figure(number: float | None) -> str:
    """A number with about three significant digits."""
    if number is None:
        return UNKNOWN
    digits = (
        0 if abs(number) >= 100 or not number else 1 if abs(number) >= 10 else 2 if abs(number) >= 1 else 3
    )
    return f"{number:,.{digits}f}"


def size(number: float | None) -> str:
    """Bytes in a unit that suits them."""
    if number is None:
        return UNKNOWN
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{figure(number) if number % 1 else count(number)} {unit}"
        number /= 1000
    return f"{figure(number)} TB"


def moment(time: datetime | None) -> str:
    """A time to the minute."""
    return UNKNOWN if time is None else f"{time:%Y-%m-%d %H:%M}"


def duration(seconds: float | timedelta | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return UNKNOWN
    return name_duration(round(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds))


def shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text, without its middle if it is longer."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} … {text[-most // 2 :]}"


FILTERS: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (count, percent, figure, size, moment, duration, shorten)
}
"""By the names that templates call them by."""
