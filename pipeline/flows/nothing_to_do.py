"""A call of label that has nothing to do: it ends without a lease, Ray and the models."""

import polars as pl

from laketag.pipeline.config import Settings
from laketag.pipeline.flows.kept_work import plan_work
from laketag.pipeline.flows.label_report import LabelReport, make_report
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, recall_name
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import find_others, run_suffix
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.folders import list_folders


def report_if_done(
    lake: Lake, request: LabelRequest, settings: Settings, finished: pl.DataFrame, screen: Screen
) -> LabelReport | None:
    """The report of a call that has nothing to do; None if there is work, or if that is not known without the models."""
    classifier = recall_name(lake, request, settings, finished)
    if classifier is None:
        return None
    own = run_suffix(request.collection, classifier.fingerprint)
    if any(name.endswith(own) for name in list_folders(lake.path("staging"), lake.storage)):
        return None  # a run is to be finished, or what it left is to be removed
    work = plan_work(lake, request, classifier, settings, OtherRuns(finished))
    if work.pending or not work.is_nothing:
        return None
    name_others(lake, request.collection, classifier.fingerprint, finished, screen)
    return make_report(work, settings, finished)


def name_others(
    lake: Lake, collection: str, fingerprint: str, finished: pl.DataFrame, screen: Screen
) -> None:
    """Unfinished runs of the collection that no call with this classifier goes on with are named."""
    if others := find_others(lake, collection, fingerprint, finished["run_id"]):
        screen.say(
            f"{len(others)} unfinished run{'' if len(others) == 1 else 's'} of other classifiers, such as {others[0]}, "
            "will not be continued by this command; laketag clean removes those that nobody works on for 30 days"
        )
