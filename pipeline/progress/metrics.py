"""What Prometheus sees of a run, beside what Ray and Ray Data export themselves.

The driver reports all of it. Ray puts ``ray_`` before each name and exports on the node of the driver.
"""

import logging
import threading
from types import TracebackType
from typing import Any, Literal

from laketag.pipeline.cluster.label_actors import count_label_actors
from laketag.pipeline.progress.progress import Progress
from laketag.schemas import LABELLED

METRICS: dict[str, tuple[Literal["counter", "gauge"], str, tuple[str, ...]]] = {
    "laketag_images_total": (
        "counter",
        "Images done, by outcome: labelled or the failure's reason; a failure counts each time it is tried",
        ("collection", "outcome"),
    ),
    "laketag_bytes_read_total": ("counter", "Encoded image bytes read from the store", ("collection",)),
    "laketag_fetch_retries_total": ("counter", "Tries beyond the first for an image", ("collection",)),
    "laketag_images_per_second": (
        "gauge",
        "Images done in a second, over the last half minute",
        ("collection",),
    ),
    "laketag_run_planned_images": ("gauge", "Images that the run has to do", ("collection",)),
    "laketag_run_done_images": ("gauge", "Images that the run has done", ("collection",)),
    "laketag_run_label_actors": ("gauge", "Label actors of the run that are alive now", ("collection",)),
    "laketag_run_label_actor_restarts": (
        "gauge",
        "Times that Ray has restarted a label actor of the run; Ray Data exports only those restarting now",
        ("collection",),
    ),
}
"""Name → kind, meaning, tags."""

REPORT_EVERY_S = 5.0
"""Ray exports a gauge once each time it is set, and forgets it two reports (20 s) later."""


class RunMetrics:
    """Reports a run to Ray for as long as the context lasts, also while no image is done."""

    def __init__(self, collection: str, planned: int) -> None:
        from ray.util.metrics import Counter, Gauge

        kinds = {"counter": Counter, "gauge": Gauge}
        self._metrics: dict[str, Any] = {
            name: kinds[kind](name, description=meaning, tag_keys=tags)
            for name, (kind, meaning, tags) in METRICS.items()
        }
        self._tags, self._planned, self._labelled = {"collection": collection}, planned, 0
        self._progress: Progress | None = None
        self._ended = threading.Event()
        self._reporter = threading.Thread(
            target=self._report_until_the_end, name="laketag-metrics", daemon=True
        )

    def __enter__(self) -> "RunMetrics":
        self._reporter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._reporter.join()
        self._report_progress()
        self._set("laketag_images_per_second", 0.0)

    def follow(self, progress: Progress) -> None:
        """The gauges show this progress from now on."""
        self._progress = progress

    def add(self, receipt: dict[str, Any]) -> None:
        """Count one row of a receipt of laketag.pipeline.stages.write_labels."""
        self._count("laketag_images_total", receipt["images"], outcome=receipt["outcome"])
        if receipt["outcome"] == LABELLED:
            self._labelled += receipt["images"]
        self._count("laketag_bytes_read_total", receipt["fetched_bytes"])
        self._count("laketag_fetch_retries_total", receipt["retries"])

    def count_labelled(self, images: int) -> None:
        """This many images are labelled since the beginning, including those whose receipts were lost."""
        self._count("laketag_images_total", max(0, images - self._labelled), outcome=LABELLED)
        self._labelled = max(images, self._labelled)

    def _count(self, name: str, more: int, **tags: str) -> None:
        if more:  # Ray refuses 0
            self._metrics[name].inc(more, self._tags | tags)

    def _set(self, name: str, value: float) -> None:
        self._metrics[name].set(value, self._tags)

    def _report_until_the_end(self) -> None:
        while True:
            self._report_progress()
            self._report_actors()
            if self._ended.wait(REPORT_EVERY_S):
                return

    def _report_progress(self) -> None:
        self._set("laketag_run_planned_images", self._planned)
        if progress := self._progress:
            self._set("laketag_run_done_images", progress.done)
            self._set("laketag_images_per_second", progress.images_per_s or 0.0)

    def _report_actors(self) -> None:
        try:
            found = count_label_actors()
        except Exception:  # Ray raises many types while a head is away, and metrics must not end a run
            logging.getLogger("ray.data").warning("label actors cannot be counted", exc_info=True)
            return
        self._set("laketag_run_label_actors", found.alive)
        self._set("laketag_run_label_actor_restarts", found.restarts)
