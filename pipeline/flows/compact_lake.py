"""Compacting a lake: few label files instead of many small ones, and one file for the rows of all runs."""

from dataclasses import dataclass
from typing import Any

from laketag.pipeline.errors import describe_ending
from laketag.pipeline.lake.compaction import compact
from laketag.pipeline.lake.decisions import find_decided
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import label_files, read_run_table
from laketag.pipeline.screen import Screen

UPKEEP = "upkeep"
"""The lease of whatever rewrites the table of runs as a whole; labelling goes on meanwhile."""


@dataclass(frozen=True, kw_only=True)
class CompactReport:
    """How many files a lake had, and has now."""

    runs: int
    run_files_before: int
    run_files: int
    label_files_before: int
    label_files: int
    decision_files_before: int
    decision_files: int

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {**describe_ending("compact"), **vars(self)}


def compact_lake(lake: Lake, screen: Screen) -> CompactReport:
    """The rows of finished runs are in one file, their label rows, unchanged, in few, and the decisions of a set in one.

    Labelling and queries may go on meanwhile. Label files that were replaced stay until ``clean`` removes them.
    """
    with hold_lease(lake, UPKEEP, screen.say) as lease:
        screen.wait("merging small files")
        before = read_run_table(lake)
        compact(lake, before, lease)
        after = read_run_table(lake)
        decided = find_decided(lake)
        decision_files = sum(one.merge(lease) for one in decided)
    return CompactReport(
        runs=after.rows.height,
        run_files_before=len(before.files),
        run_files=len(after.files),
        label_files_before=len(label_files(lake, before.rows)),
        label_files=len(label_files(lake, after.rows)),
        decision_files_before=decision_files,
        decision_files=len(decided),
    )
