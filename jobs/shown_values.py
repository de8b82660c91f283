"""Values as short text for a terminal, which counts cells: a wide character takes two, an accent none."""

import json
import re
from collections.abc import Iterable
from datetime import datetime
from os.path import commonprefix
from typing import Any

import polars as pl
from rich.cells import cell_len

STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that steer a terminal instead of being printed: controls, line ends, directions, and bytes that are no text."""


def show_value(value: Any) -> str:
    """The value on one short line: floats with three digits, times in UTC to the second, nested values in words.

    Characters that steer a terminal are shown as escapes.
    """
    match value:
        case None:
            return "–"  # a dash is meant
        case float():
            return f"{value:.3f}" if abs(value) < 1e6 else f"{value:.3e}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
        case {"label": label, "probability": probability}:
            return f"{show_value(label)} {probability:.2f}"
        case {"label": label, "score": score}:
            return f"{show_value(label)} {score:.1f}"
        case {"reason": reason, "images": images}:
            return f"{reason} {images:,}"
        case {"stage": name, "images_per_s": rate, "busy_fraction": busy} | {
            "actor": name,
            "images_per_s": rate,
            "busy_fraction": busy,
        }:
            return f"{show_value(name)} {show_value(rate)}/s busy {busy:.0%}"
        case {"x0_px": x0, "y0_px": y0, "x1_px": x1, "y1_px": y1, "description": description}:
            return f"{show_value(description)} [{x0},{y0} to {x1},{y1}]"
        case pl.Series() | list():
            return ", ".join(map(show_value, value)) or "–"  # a dash is meant
        case dict():
            return json.dumps(value, default=str, ensure_ascii=False)
        case _:
            return STEERING.sub(_escape, str(value).replace("\n", " "))


def shorten(text: str, width: int, in_the_middle: bool) -> str:
    """The text in at most ``width`` cells, cut at its end or in its middle."""
    if cell_len(text) <= width:
        return text
    if not in_the_middle or width < 3:
        return _head(text, width - 1) + "…"
    head = _head(text, (width - 1) // 3)
    start = max(0, len(text) - width)
    while cell_len(text[start:]) > width - 1 - cell_len(head):
        start += 1
    return f"{head}…{text[start:]}"


def common_folder(uris: Iterable[str]) -> str:
    """What all the URIs begin with, up to a slash or the name of a table; empty if that is no more than a scheme."""
    common = commonprefix(list(uris))  # noqa: RUF071  # a URI is compared as text, not as a path
    folder = common[: max(common.rfind("/"), common.rfind("#")) + 1]
    return "" if folder == "/" or folder.endswith("://") else folder


def _head(text: str, width: int) -> str:
    """The first characters, at most as many as the cells."""
    end = width
    while cell_len(text[:end]) > width:
        end -= 1
    return text[:end]


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
