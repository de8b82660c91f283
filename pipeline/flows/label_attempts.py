"""Carrying out a planned run: its chain of Ray Data calls is repeated after losses, until each image has a result."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from laketag.pipeline.calibration.calibration import Calibration
from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.cluster.execution import open_blocks, retries_allowed
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.ray_wait import say_ray_starts
from laketag.pipeline.cluster.recovery import Recovery
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.cluster.work_stop import WorkStop, WorkStoppedError
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.earlier_results import failed_first
from laketag.pipeline.flows.plan_run import find_unlabelled
from laketag.pipeline.flows.stop_rule import StopRule
from laketag.pipeline.flows.suspects import Suspects
from laketag.pipeline.images.witnesses import Witnesses
from laketag.pipeline.lake.lease import Lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import latest_snapshot
from laketag.pipeline.lake.staging import Run
from laketag.pipeline.progress.metrics import RunMetrics
from laketag.pipeline.progress.progress import Progress
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.death_watch import DeathWatch

if TYPE_CHECKING:
    from ray.data import Dataset


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """A planned run, and what carries it out."""

    lake: Lake
    run: Run
    classifier: ChosenClassifier
    settings: Settings
    lease: Lease
    screen: Screen
    stop: WorkStop = field(default_factory=WorkStop)
    from_embeddings: bool = False
    """Whether it labels from kept embeddings."""
    witnesses: Witnesses = field(default_factory=Witnesses)
    calibration: Calibration | None = None
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When the call began with the run."""


MakeChain = Callable[[Labelling, pl.DataFrame, Resources, DeathWatch], "Dataset"]


def label_unlabelled(
    labelling: Labelling, unlabelled: pl.DataFrame, progress: Progress, make_chain: MakeChain
) -> None:
    """Every planned image without a label (the rows) is staged with a label or a failure.

    If Ray loses workers or nodes for good, the chain begins again with what is left. Images of which a process died are
    labelled last, one by one, with nothing else at work. Once the stop is due, images are left.
    """
    lake, run, screen = labelling.lake, labelling.run, labelling.screen
    progress.begin(run.planned - unlabelled.height)
    if unlabelled.is_empty():
        return
    say_ray_starts(screen)
    with ray_runtime() as runtime, RunMetrics(run.collection, run.planned) as metrics:
        screen.detail(f"{runtime}; Ray's own log: {runtime.log_file}")
        metrics.follow(progress)
        suspects = Suspects(lake, run)

        def attempt(rows: pl.DataFrame, resources: Resources) -> None:
            progress.begin(run.planned - rows.height)
            rows, failed_before = failed_first(lake, run, rows)
            with retries_allowed():
                chain = make_chain(labelling, rows, suspects.limit(resources), suspects.watch)
            rule = StopRule(labelling.settings.run, failed_before)
            run_chain(labelling, chain, progress, metrics, rule)

        def find_rest() -> pl.DataFrame:
            rest = find_unlabelled(lake, run)
            metrics.count_labelled(unlabelled.height - rest.height)
            return suspects.find_rest(rest)

        recovery = Recovery(runtime, labelling.settings.run, screen, labelling.stop)
        with suppress(WorkStoppedError):
            recovery.run(unlabelled, attempt, find_rest)
        if suspects.find_given_up() and not labelling.stop.is_due:
            rows = suspects.begin_alone(find_unlabelled(lake, run))
            screen.say(
                f"{rows.height:,} image(s) may have killed a process; each is tried again, alone", "yellow"
            )
            with suppress(WorkStoppedError):
                recovery.run(rows, attempt, find_rest)
            if not labelling.stop.is_due:  # else the last try may have been ended by us
                suspects.write_poison(rows)
        suspects.clear()


def run_chain(
    labelling: Labelling, chain: "Dataset", progress: Progress, metrics: RunMetrics, rule: StopRule
) -> None:
    """The chain has run. Shows progress meanwhile, and stops the run if most images fail."""
    run = labelling.run
    is_current = run.snapshot == latest_snapshot(labelling.lake, run.collection).name
    with progress, open_blocks(chain, labelling.stop) as blocks:
        for block in blocks:
            outcomes: Counter[str] = Counter()
            receipts = block.to_pylist()
            for receipt in receipts:
                metrics.add(receipt)
                outcomes[receipt["outcome"]] += receipt["images"]
            progress.add(outcomes)
            if labelling.lease.lost.is_set():  # check() alone would read the store for each receipt
                labelling.lease.check()
            if is_current:  # of an older index failures are expected, and the next run plans anew
                for receipt in receipts:
                    rule.add(receipt)
