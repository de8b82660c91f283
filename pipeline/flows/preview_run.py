"""What ``laketag label`` would do, and why; nothing is written and no Ray is started."""

import json
from dataclasses import replace
from typing import Any

import polars as pl

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.kept_costs import say_kept_costs
from laketag.pipeline.flows.kept_encoders import check_embeddings, rounded_format
from laketag.pipeline.flows.kept_work import plan_work, say_lacking
from laketag.pipeline.flows.label_report import LabelReport, Preview, make_report
from laketag.pipeline.flows.plan_run import (
    REVISIONS,
    LabelRequest,
    OtherRuns,
    find_resumable,
    kept_settings,
    look_up_classifier,
)
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.plan import count_reasons
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import scan_plan
from laketag.pipeline.progress.estimate import Estimate
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.version import laketag_version

FIRST_REVISION = 1
"""Of laketag 0.1.0, whose runs do not say theirs."""
NO_MODEL: dict[str, str | None] = {"name": None, "sha256": None}


def preview_run(lake: Lake, request: LabelRequest, settings: Settings, screen: Screen) -> LabelReport:
    """The report of what label_images would do and why."""
    settings = check_embeddings(settings, from_embeddings=request.from_embeddings)
    every = read_runs(lake)
    classifier = look_up_classifier(lake, request, settings, screen, every)
    screen.wait("comparing the index with what is labelled")
    of_method = every.filter(pl.col("method") == classifier.method)
    of_collection = every.filter(pl.col("collection") == request.collection)
    of_set = of_collection.filter(pl.col("description_set") == request.description_set)
    is_own = pl.col("classifier") == classifier.fingerprint
    own, others = of_set.filter(is_own), of_set.filter(~is_own)
    finished = of_collection.filter(is_own)["run_id"]
    unfinished = find_resumable(lake, request, classifier.fingerprint, finished, screen)
    plans = [scan_plan(lake, run.run_id) for run, _ in unfinished]
    with store_errors(lake.root):
        planned = pl.concat(plans).collect() if plans else None
    left = {run.run_id: unlabelled.height for run, unlabelled in unfinished}
    other_runs = OtherRuns(every, sum(left.values()), planned)
    work = plan_work(lake, request, classifier, settings, other_runs)
    say_lacking(lake, work, screen)
    say_kept_costs(lake, classifier, settings, work.rows.height, screen)
    reasons = count_reasons(lake, work.rows, own, others)
    # the last one is of this classifier, if any
    measured = pl.concat([of_method, own]).filter(
        pl.col("images_per_s") > 0, pl.col("made_from").is_null() != request.from_embeddings
    )
    rates = measured.select("images_per_s", "run_id").rows()[-1:]
    images = work.rows.height + other_runs.resumed
    preview = Preview(
        planned=work.rows.height,
        reasons={str(reason): images for reason, images in reasons.items()},
        unfinished=left,
        differences=name_differences(others.row(-1, named=True), classifier, settings)
        if "other classifier" in reasons
        else (),
        estimate=Estimate(images, rates[0][0], settings.run.price_per_hour) if rates else None,
        rate_of=rates[0][1] if rates else None,
    )
    return replace(make_report(work, settings, every), preview=preview)


def name_differences(
    before: dict[str, Any], classifier: ChosenClassifier, settings: Settings
) -> tuple[str, ...]:
    """What is different now from a run (a row of schemas.Runs) of another classifier, as phrases."""
    found = []
    models = json.loads(before["models"])
    for role in sorted({*models, *classifier.models}):
        old, new = models.get(role, NO_MODEL), classifier.models.get(role, NO_MODEL)
        if old["sha256"] != new["sha256"]:
            found.append(f"{role} model {_name(old)} → {_name(new)}")
    then, now = json.loads(before["settings"]), kept_settings(settings, classifier)
    compared = {"backbone": ["precision"], "attention": ["preprocessing"] if "attention" in models else []}
    compared |= {table: list(classifier.decided_by[table]) for table in ("method", "decode")}
    for table, keys in compared.items():
        changed = [key for key in keys if key in then[table] and then[table][key] != now[table][key]]
        found += [f"{table}.{key} {then[table][key]} → {now[table][key]}" for key in changed]
    was_made, is_made = rounded_format(before.get("made_from")), classifier.decided_by.get("embeddings")
    if was_made != is_made:
        found.append(f"labelled from {_source(was_made)} → from {_source(is_made)}")
    if not before["description_version"].endswith(classifier.description_version.rpartition("-")[2]):
        found.append("the descriptions")
    for name, meaning in REVISIONS.items():
        if (old := then.get(name, FIRST_REVISION)) != now[name]:
            found.append(f"{meaning} ({name} {old} → {now[name]})")
    return tuple(found) or (f"laketag {before['laketag_version']} → {laketag_version()}",)


def _source(stored_as: str | None) -> str:
    return f"embeddings in {stored_as}" if stored_as else "pixels"


def _name(model: dict[str, str | None]) -> str:
    return (
        f"{model['name']} ({(model['sha256'] or 'no weights of its own')[:12]})" if model["name"] else "none"
    )
