"""What became of a call of label: one value for the command, for ``--json`` and for the Python API."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import ExitCode, describe_ending
from laketag.pipeline.flows.plan_run import LabelRequest, Work
from laketag.pipeline.lake.publish import Published
from laketag.pipeline.lake.runs import current_runs, select_runs_of
from laketag.pipeline.progress.estimate import Estimate
from laketag.pipeline.progress.progress import Progress
from laketag.schemas import TRANSIENT_FAILURES


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The images that a call would label, and why."""

    planned: int
    """Images of the new run."""
    reasons: dict[str, int]
    """How many of them there are for each of laketag.pipeline.lake.plan.Reason."""
    unfinished: dict[str, int]
    """Runs that would be finished first, and the images that they have left."""
    differences: tuple[str, ...]
    """What has changed since the classifier that labelled last, if that is another one."""
    estimate: Estimate | None
    """How long all of it takes at the rate of the run ``rate_of``; None if no run has measured one."""
    rate_of: str | None

    @property
    def images(self) -> int:
        """Images that would be labelled, those of unfinished runs too."""
        return self.planned + sum(self.unfinished.values())

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"estimate": self.estimate and self.estimate.as_json()}


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """The runs that the call has published, and how the newest snapshot of the index is afterwards."""

    request: LabelRequest
    classifier: str  # its fingerprint
    labelled_last: str | None
    """The classifier that labelled this collection with this set last, whose labels queries show; None if none has."""
    labelled_before: str | None
    """The other classifier that labelled them last, if any."""
    snapshot: str
    index_rows: int
    had_label: int
    """Images of the index that had a label before the new run."""
    failed_before: dict[str, int]
    """Images that are done but have no label, by reason; those that runs resumed by this call failed on are among them."""
    left: int
    """Images without a label that were left for later, because of a limit or as the call stopped early."""
    carried: int = 0
    """Of these, images that the index could not look at; they wait for the next one."""
    lacking: int = 0
    """Of these, images without kept embeddings, which wait for a call that reads pixels."""
    rest: Estimate | None = None
    """How long the others take, at the rate of this call."""
    runs: tuple[Published, ...] = ()
    """Empty if there was nothing to do."""
    preview: Preview | None = None
    """What a call would do; only of a dry run, which publishes no run."""

    @property
    def given_up(self) -> dict[str, int]:
        """Images of failed_before whose reason is transient: they failed too often and need --retry, by reason."""
        return {
            reason: self.failed_before[reason]
            for reason in self.failed_before
            if reason in TRANSIENT_FAILURES
        }

    @property
    def planned(self) -> int:
        """Images that the runs had to do."""
        return sum(published.run.planned for published in self.runs)

    @property
    def labelled(self) -> int:
        """Images that got a label."""
        return sum(published.ledger.labelled for published in self.runs)

    @property
    def failures(self) -> dict[str, int]:
        """Images that got none, by reason, the most frequent first."""
        counts: Counter[str] = Counter()
        for published in self.runs:
            counts.update(published.ledger.failures)
        return dict(counts.most_common())

    @property
    def has_labels(self) -> bool:
        """Whether any image has a label of this classifier."""
        return bool(self.had_label or self.labelled)

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends."""
        if self.planned and (not self.labelled or (self.failures and self.request.fail_on_failures)):
            return ExitCode.FAILED
        return ExitCode.DONE

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            **describe_ending("label", code=self.exit_code),
            "collection": self.request.collection,
            "description_set": self.request.description_set,
            "classifier": self.classifier,
            "snapshot": self.snapshot,
            "index_rows": self.index_rows,
            "failed_before": self.failed_before,
            "given_up": self.given_up,
            "planned": self.planned,
            "labelled": self.labelled,
            "failures": self.failures,
            "left": self.left,
            "carried": self.carried,
            "without_embeddings": self.lacking,
            "estimate_of_left": self.rest and self.rest.as_json(),
            "runs": [_run_json(published) for published in self.runs],
            "dry_run": self.preview and self.preview.as_json(),
        }


def make_report(
    work: Work,
    settings: Settings,
    finished: pl.DataFrame,
    published: Sequence[Published] = (),
    left: int | None = None,
) -> LabelReport:
    """The report after these runs were published and this work was found; ``finished`` are all runs, also the published ones.

    ``left``: images that still have no label.
    """
    left = work.left if left is None else left
    of_collection = select_runs_of(finished, work.request.collection)
    of_set = of_collection.filter(pl.col("description_set") == work.request.description_set)
    others = of_set.filter(pl.col("classifier") != work.classifier)
    rates = [one.speed.images_per_s for one in published if one.speed.images_per_s]
    price, later = settings.run.price_per_hour, left - work.carried - work.lacking
    return LabelReport(
        request=work.request,
        classifier=work.classifier,
        labelled_last=_current_classifier(of_set),
        labelled_before=_current_classifier(others),
        snapshot=work.snapshot,
        index_rows=work.index_rows,
        had_label=work.index_rows - work.pending - sum(work.failed.values()),
        failed_before=work.failed,
        left=left,
        carried=work.carried,
        lacking=work.lacking,
        rest=Estimate(later, rates[-1], price) if later > 0 and rates else None,
        runs=tuple(published),
    )


def _current_classifier(runs: pl.DataFrame) -> str | None:
    return next(iter(current_runs(runs)["classifier"]), None)


def interrupted_json(
    collection: str, description_set: str, runs: Sequence[Progress], error: BaseException
) -> dict[str, Any]:
    """What ``--json`` prints of a call that an error or a signal ended: what its runs had done by then."""
    failures = sum((Counter(progress.failures) for progress in runs), Counter[str]())
    return {
        **describe_ending("label", error),
        "collection": collection,
        "description_set": description_set,
        "planned": sum(progress.planned for progress in runs),
        "labelled": sum(progress.labelled for progress in runs),
        "failures": dict(failures.most_common()),
        "runs": [
            {"run_id": progress.run_id, "published": progress.published, "planned": progress.planned}
            for progress in runs
        ],
    }


def _run_json(published: Published) -> dict[str, Any]:
    run, ledger = published.run, published.ledger
    return {
        "run_id": run.run_id,
        "published": True,
        "index_rows": run.index_rows,
        "already_done": run.already_done,
        "planned": run.planned,
        "left": run.left,
        "made_from": run.made_from,
        "labelled": ledger.labelled,
        "failures": ledger.failures,
        **asdict(published.speed),
        "labels": published.folder,
        "calibration": run.calibration,
    }
