"""The driver's side of the metrics: what the receipts of written parts add up to, and how the run stands."""

import logging
import threading
from types import TracebackType
from typing import Any

from laketag.pipeline.cluster.label_actors import count_label_actors
from laketag.pipeline.progress.metrics import counter, gauge
from laketag.pipeline.progress.progress import Progress
from laketag.schemas import LABELLED

BEAT_S = 5.0
"""Ray exports a gauge once each time it is set, and forgets it two reports (20 s) later."""


class RunMetrics:
    """Reports a run to Ray, and from there to Prometheus, for as long as the context lasts, also while nothing moves."""

    def __init__(self, collection: str, planned: int) -> None:
        self._tags, self._images_planned = {"collection": collection}, planned
        self._progress: Progress | None = None
        self._labelled = 0
        self._images = counter("laketag_images_total")
        self._bytes = counter("laketag_bytes_read_total")
        self._retries = counter("laketag_fetch_retries_total")
        self._planned = gauge("laketag_run_planned_images")
        self._done = gauge("laketag_run_done_images")
        self._rate = gauge("laketag_images_per_second")
        self._actors = gauge("laketag_run_label_actors")
        self._restarts = gauge("laketag_run_label_actor_restarts")
        self._ended = threading.Event()
        self._beat = threading.Thread(target=self._show_until_the_end, name="laketag-metrics", daemon=True)

    def __enter__(self) -> "RunMetrics":
        self._beat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._beat.join()
        self._show_progress()
        self._rate.set(0.0, self._tags)

    def follow(self, progress: Progress) -> None:
        """The gauges show this progress from now on."""
        self._progress = progress

    def add(self, receipt: dict[str, Any]) -> None:
        """Count one row of a receipt of laketag.pipeline.stages.write_labels."""
        self._images.inc(receipt["images"], self._tags | {"outcome": receipt["outcome"]})
        if receipt["outcome"] == LABELLED:
            self._labelled += receipt["images"]
        for metric, value in ((self._bytes, receipt["fetched_bytes"]), (self._retries, receipt["retries"])):
            if value:
                metric.inc(value, self._tags)

    def count_labelled(self, images: int) -> None:
        """So many are labelled since the beginning, those included whose receipts were lost."""
        if images > self._labelled:
            self._images.inc(images - self._labelled, self._tags | {"outcome": LABELLED})
            self._labelled = images

    def _show_until_the_end(self) -> None:
        while True:
            self._show_progress()
            self._show_actors()
            if self._ended.wait(BEAT_S):
                return

    def _show_progress(self) -> None:
        self._planned.set(self._images_planned, self._tags)
        if progress := self._progress:
            self._done.set(progress.done, self._tags)
            self._rate.set(progress.images_per_s or 0.0, self._tags)

    def _show_actors(self) -> None:
        try:
            found = count_label_actors()
        except (
            Exception
        ):  # Ray raises many types while a head is away, and a run does not end for its metrics
            logging.getLogger("ray.data").warning("label actors cannot be counted", exc_info=True)
            return
        self._actors.set(found.alive, self._tags)
        self._restarts.set(found.restarts, self._tags)
