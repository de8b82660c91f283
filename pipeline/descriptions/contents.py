"""The texts of a description file, by class or as one list, whatever kind of texts they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Table = Literal["csv", "parquet"]


@dataclass(frozen=True)
class Contents:
    """Texts in the order of the file, normalised; empty ones are kept, so that they can be counted."""

    texts: Mapping[str, tuple[str, ...]] | tuple[str, ...]  # by class, or one list
    table: Table | None = None  # the file, if it is a table of classes and texts
    notices: tuple[str, ...] = ()  # repairs, each a sentence that names class and place
