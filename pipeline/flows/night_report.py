"""What became of a night: for the command, for ``--json`` and for the table of nights."""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from laketag.pipeline.errors import ExitCode, describe_ending, exit_code_of
from laketag.pipeline.flows.describe_classes import DescribedSet
from laketag.pipeline.flows.index_images import IndexSummary
from laketag.pipeline.flows.label_report import LabelReport
from laketag.pipeline.flows.preview_night import NightPreview
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.version import laketag_version
from laketag.schemas import Nights

WORST_FIRST = (
    *(ExitCode.TERMINATED, ExitCode.INTERRUPTED, ExitCode.BUG, ExitCode.LEDGER, ExitCode.INPUT, ExitCode.MODEL),
    *(ExitCode.STOPPED, ExitCode.CLUSTER, ExitCode.STORE, ExitCode.FAILED, ExitCode.BUSY, ExitCode.DONE),
)  # fmt: skip
"""A night ends with the first of these with which one of its collections ended: what a person must fix before the next
night comes before what the next night makes up for."""


@dataclass(kw_only=True)
class CollectionNight:
    """What became of a collection in a night; what was not reached is None."""

    collection: str
    description_set: str
    started_at: datetime
    finished_at: datetime | None = None
    failed_by: BaseException | None = None
    is_over: bool = False
    """Whether the time was over before it was indexed and described."""
    index: IndexSummary | None = None
    described: DescribedSet | None = None
    labelled: LabelReport | None = None
    preview: NightPreview | None = None
    """Of a dry run."""
    verified: bool | None = None
    progress: list[Progress] = field(default_factory=list)
    """Of each run that was worked on, also of one that an error has ended."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By step: index, describe, label, verify."""

    @property
    def exit_code(self) -> ExitCode:
        """How it ended. Images that fail are a night's ordinary work, unless no image of the collection has a label at all."""
        if self.failed_by:
            return exit_code_of(self.failed_by)
        if self.verified is False:
            return ExitCode.LEDGER
        if self.labelled and not self.labelled.has_labels:
            return self.labelled.exit_code
        return ExitCode.DONE

    @property
    def trace(self) -> str | None:
        """The trace of a bug that ended it."""
        error = self.failed_by
        return (
            "".join(traceback.format_exception(error)) if error and self.exit_code == ExitCode.BUG else None
        )

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """The step's time is in ``seconds`` afterwards."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self.seconds[step] = time.monotonic() - began_s

    def as_row(self) -> dict[str, Any]:
        """Its row of schemas.Nights, without ``night_id``."""
        index, described, labelled = self.index, self.described, self.labelled
        row: dict[str, Any] = {
            "collection": self.collection,
            "description_set": self.description_set,
            "started_at": self.started_at,
            "finished_at": self.finished_at or datetime.now(UTC),
            "exit_code": self.exit_code.value,
            "laketag_version": laketag_version(),
        }
        if index:
            row |= {"images": index.images}
            row |= {name: getattr(index.changes, name) for name in ("new", "changed", "gone")}
        if described:
            row |= {"description_version": described.version, "embedded": described.embedded}
        if labelled:
            failures = [{"reason": reason, "images": images} for reason, images in labelled.failures.items()]
            row |= {"planned": labelled.planned, "labelled": labelled.labelled, "failures": failures}
            row |= {"left": labelled.left, "runs": [one.run.run_id for one in labelled.runs]}
        seconds = {f"{step}_s": round(self.seconds[step], 3) for step in self.seconds}
        return row | {"verified": self.verified} | seconds

    def as_json(self) -> dict[str, Any]:
        """The line that ``--json`` prints."""
        row = dict.fromkeys(Nights.column_names()) | self.as_row()
        row |= {name: str(row[name]) for name in ("started_at", "finished_at")}
        del row["night_id"]
        failures = {one["reason"]: one["images"] for one in row["failures"] or []}
        ending = describe_ending("nightly", self.failed_by, self.exit_code)
        preview = self.preview.as_json() if self.preview else None
        return {**ending, **row, "failures": failures, "is_over": self.is_over, "dry_run": preview}


@dataclass(frozen=True)
class NightReport:
    """A night's collections."""

    collections: tuple[CollectionNight, ...]

    @property
    def exit_code(self) -> ExitCode:
        """How the night ends: with the worst of its collections."""
        codes = [one.exit_code for one in self.collections]
        return min(codes, key=WORST_FIRST.index, default=ExitCode.DONE)

    @property
    def left(self) -> int:
        """Images that are left for the next night, of the collections that were labelled."""
        return sum(one.labelled.left for one in self.collections if one.labelled)
