"""What laketag verify finds."""

import re
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from laketag.pipeline.errors import InputError

UNREADABLE_ERRORS = (InputError, pl.exceptions.PolarsError, pa.ArrowException, OSError)
"""What a damaged file raises; errors of the store end the command."""


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, and where: a file relative to the root, a run or an image."""

    where: str
    what: str


@dataclass
class Verified:
    """What was looked at, and what is wrong with it."""

    runs: int = 0
    label_files: int = 0
    kept_files: int = 0
    """Of tables that runs keep beside their labels."""
    rows: int = 0
    snapshots: int = 0
    faults: list[Fault] = field(default_factory=list)
    left_over: int = 0
    """Files that no table needs any more, or not yet: laketag clean removes those that nobody will need."""
    without_snapshot: int = 0
    """Runs whose snapshot laketag clean has removed: what they say about their index cannot be checked any more."""

    def blame(self, where: str, what: str) -> None:
        """It is a fault."""
        self.faults.append(Fault(where, what))

    def blame_unreadable(self, where: str, error: BaseException) -> None:
        """That it cannot be read is a fault."""
        self.blame(where, f"cannot be read: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """What the error says, without the URL at its beginning."""
    return re.sub(r"^\S+\.parquet: ", "", " ".join(str(error).split()))[:200]
