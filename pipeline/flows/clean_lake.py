"""Cleaning a lake: what nobody can need any more is removed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from laketag.pipeline.errors import describe_ending
from laketag.pipeline.flows.compact_lake import UPKEEP
from laketag.pipeline.lake.find_garbage import find_garbage
from laketag.pipeline.lake.garbage import Garbage, Retention, remove_garbage
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.screen import Screen


@dataclass(frozen=True)
class CleanReport:
    """What can be removed, and whether it was."""

    garbage: Garbage
    removed: bool

    @property
    def files(self) -> dict[str, int]:
        """How many files there are of each kind."""
        return {kind: len(files) for kind, files in self.garbage.files.items()}

    @property
    def size_bytes(self) -> dict[str, int]:
        """The bytes of the files of each kind."""
        return {kind: sum(file.size_bytes for file in files) for kind, files in self.garbage.files.items()}

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            **describe_ending("clean"),
            "removed": self.removed,
            "runs": self.garbage.run_ids,
            "files": self.files,
            "bytes": self.size_bytes,
        }


def clean_lake(
    lake: Lake,
    retention: Retention,
    screen: Screen,
    is_agreed: Callable[[CleanReport], bool] = lambda _: True,
) -> CleanReport:
    """What is beyond the retention and nobody can need is gone, if ``is_agreed`` when it is shown. Labelling may go on."""
    with hold_lease(lake, UPKEEP, screen.say) as lease:
        screen.wait("looking for what nobody needs")
        garbage = find_garbage(lake, retention)
        if garbage.is_empty or not is_agreed(CleanReport(garbage, removed=False)):
            return CleanReport(garbage, removed=False)
        garbage = find_garbage(lake, retention).within(garbage)  # the answer may have taken hours
        lease.check()
        remove_garbage(lake, garbage)
    return CleanReport(garbage, removed=True)
