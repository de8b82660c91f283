"""The name that a classifier has in a lake whose runs may have been named by earlier versions of laketag."""

import json
from dataclasses import replace

import polars as pl

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.classifier.fingerprint import classifier_fingerprint
from laketag.pipeline.config import Settings
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.runs import select_runs_of
from laketag.pipeline.lake.snapshots import latest_snapshot
from laketag.pipeline.lake.staging import find_unfinished


def name_as_in_lake(
    lake: Lake, collection: str, classifier: ChosenClassifier, settings: Settings, finished: pl.DataFrame
) -> ChosenClassifier:
    """The classifier under the name that its runs of the collection have, so that what they did is done.

    Earlier versions named it by ``decode.max_pixels`` too, which each run's row keeps. Of several such names, the one
    with the fewest images left to do counts, then the newest. An unfinished run gives its name if no run is finished.
    ``finished`` are the lake's finished runs.
    """
    runs = select_runs_of(finished, collection)
    kept = [json.loads(text).get("decode", {}) for text in runs["settings"].unique()]
    limits = {decode["max_pixels"] for decode in kept if "max_pixels" in decode}
    names = [classifier.fingerprint] + [
        classifier_fingerprint(classifier.decided_by, limit)
        for limit in sorted(limits | {settings.decode.max_pixels})
    ]
    used = [name for name in dict.fromkeys(reversed(runs["classifier"].to_list())) if name in names]
    if len(used) > 1:
        snapshot = latest_snapshot(lake, collection)
        used.sort(
            key=lambda name: find_pending(lake, snapshot, select_runs_of(runs, collection, name)).rows.height
        )
    unfinished = (name for name in names if find_unfinished(lake, collection, name, []))
    found = used[0] if used else next(unfinished, classifier.fingerprint)
    return replace(classifier, fingerprint=found)
