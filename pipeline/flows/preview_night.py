"""What a night would do with a collection, and how long that takes; nothing is written and no Ray is started."""

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from laketag.pipeline.config import Settings
from laketag.pipeline.flows.describe_classes import read_set
from laketag.pipeline.flows.index_images import IndexSummary, index_images
from laketag.pipeline.flows.index_request import make_request
from laketag.pipeline.flows.night_file import NightCollection
from laketag.pipeline.flows.plan_run import LabelRequest
from laketag.pipeline.flows.preview_run import preview_run
from laketag.pipeline.lake.description_versions import list_versions
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.progress.estimate import Estimate
from laketag.pipeline.screen import Screen


@dataclass(frozen=True, kw_only=True)
class NightPreview:
    """What a night would do with a collection."""

    index: IndexSummary
    """Of the source as it is now; its snapshot is the one of the last index."""
    describes: bool
    """Whether the set would get a new version, so that all images are labelled again."""
    images: int
    """Images that would be labelled."""
    estimate: Estimate | None
    """How long they take at the rate of the last run with the same method; None if none was measured."""

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        changes = {name: getattr(self.index.changes, name) for name in ("new", "changed", "gone")}
        seconds = self.estimate.seconds if self.estimate else None
        return changes | {"describes": self.describes, "images": self.images, "seconds": seconds}


def preview_night(lake: Lake, wanted: NightCollection, settings: Settings, screen: Screen) -> NightPreview:
    """What a night would do with the collection now."""
    screen.wait(f"reading {wanted.source}")
    index = index_images(lake, replace(make_request(wanted, settings), dry_run=True))
    name = wanted.description_set
    describes = bool(wanted.file) and read_set(lake, name, wanted.file, settings, screen).version is None  # type: ignore[arg-type]
    if describes or not index.snapshot.name or not list_versions(lake, name):
        images = index.images
    else:
        request = LabelRequest(collection=wanted.collection, description_set=name, retry=wanted.retry)
        preview = preview_run(lake, request, settings, screen).preview
        pending = preview.images if preview else 0
        images = min(index.images, pending + index.changes.new + index.changes.changed)
    measured = read_runs(lake).filter(pl.col("images_per_s") > 0, pl.col("method") == settings.method.name)
    rates = measured["images_per_s"].to_list()[-1:]
    estimate = Estimate(images, rates[0], settings.run.price_per_hour) if rates else None
    return NightPreview(index=index, describes=describes, images=images, estimate=estimate)
