"""What a night would do with a collection, and how long that takes; nothing is written and no Ray is started."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from laketag.pipeline.classifier.choose_classifier import choose_classifier
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.classifier_name import name_as_in_lake
from laketag.pipeline.flows.describe_classes import read_set
from laketag.pipeline.flows.index_images import IndexSummary, index_images
from laketag.pipeline.flows.index_request import make_request
from laketag.pipeline.flows.night_file import NightCollection
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_work
from laketag.pipeline.flows.preview_run import preview_run
from laketag.pipeline.lake.description_versions import list_versions, read_embedded_set
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.progress.estimate import Estimate
from laketag.pipeline.screen import Screen


@dataclass(frozen=True, kw_only=True)
class NightPreview:
    """What a night would do with a collection."""

    index: IndexSummary
    """Of the source as it is now; its snapshot is the one of the last index."""
    descriptions: Literal["unchanged", "new", "changed", "restored"]
    """Whether the set would get a new version: its first, another, or one with the content of an earlier one."""
    images: int
    """Images that would be labelled."""
    estimate: Estimate | None
    """How long they take at the rate of the last run with the same method; None if none was measured."""

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        changes = {name: getattr(self.index.changes, name) for name in ("new", "changed", "gone")}
        seconds = self.estimate.seconds if self.estimate else None
        return changes | {"descriptions": self.descriptions, "images": self.images, "seconds": seconds}


def preview_night(lake: Lake, wanted: NightCollection, settings: Settings, screen: Screen) -> NightPreview:
    """What a night would do with the collection now."""
    screen.wait(f"reading {wanted.source}")
    index = index_images(lake, replace(make_request(wanted, settings), dry_run=True))
    name, runs = wanted.description_set, read_runs(lake)
    request = LabelRequest(collection=wanted.collection, description_set=name, retry=wanted.retry)
    versions = list_versions(lake, name)
    read = read_set(lake, name, wanted.file, wanted.describing(settings), screen) if wanted.file else None
    descriptions: Literal["unchanged", "new", "changed", "restored"] = "unchanged"
    pending = index.images
    if read and read.version is None:
        same = [version for version in versions if version.endswith(f"-{read.content_hash}")]
        descriptions = "restored" if same else "changed" if versions else "new"
        if same and index.snapshot.name:
            classifier = choose_classifier(settings, read_embedded_set(lake, name, same[-1]))
            classifier = name_as_in_lake(lake, wanted.collection, classifier, settings, runs)
            pending = find_work(lake, request, classifier.fingerprint, settings, OtherRuns(runs)).pending
    elif index.snapshot.name and versions:
        preview = preview_run(lake, request, settings.keeping(wanted.keep), screen).preview
        pending = preview.images if preview else 0
    images = min(index.images, pending + index.changes.new + index.changes.changed)
    is_of_pixels = pl.col("made_from").is_null()
    measured = runs.filter(is_of_pixels, pl.col("images_per_s") > 0, method=settings.method.name)
    rates = measured["images_per_s"].to_list()[-1:]
    estimate = Estimate(images, rates[0], settings.run.price_per_hour) if rates else None
    return NightPreview(index=index, descriptions=descriptions, images=images, estimate=estimate)
