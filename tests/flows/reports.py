"""Reports of calls of label that never ran."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from laketag.pipeline.flows.label_report import LabelReport
from laketag.pipeline.flows.plan_run import LabelRequest
from laketag.pipeline.lake.ledger import Ledger
from laketag.pipeline.lake.publish import Published
from laketag.pipeline.lake.run_speed import RunSpeed
from laketag.schemas import Runs
from tests.lake.run_rows import RUN


def published(outcomes: Mapping[str, int], left: int = 0) -> Published:
    """A run with these outcomes."""
    planned = sum(outcomes.values())
    failures = {reason: images for reason, images in outcomes.items() if reason != "labelled"}
    ledger = Ledger(labelled=outcomes.get("labelled", 0), failures=failures)
    run = replace(RUN, index_rows=planned + left + 2, already_done=2, planned=planned, left=left)
    return Published(run, ledger, "lake/labels/run", RunSpeed(images_per_s=2.0), Runs.create_empty())


def report(*runs: Published, fail_on_failures: bool = False, **changes: Any) -> LabelReport:
    """The report of a call that published these runs."""
    request = LabelRequest(collection="photos", description_set="animals", fail_on_failures=fail_on_failures)
    made = LabelReport(
        request=request,
        classifier="f00d",
        labelled_last="f00d" if runs else None,
        labelled_before=None,
        snapshot="s",
        index_rows=sum(one.run.planned for one in runs) + 2,
        had_label=0,
        failed_before={},
        left=0,
        runs=runs,
    )
    return replace(made, **changes)
