"""The driver's side of the metrics: what the receipts of written parts add up to."""

from typing import Any

from pipeline.metrics import counter, gauge


class RunMetrics:
    """Reports a run's progress to Ray, and from there to Prometheus."""

    def __init__(self, collection: str, planned: int) -> None:
        self._tags = {"collection": collection}
        self._images = counter("laketag_images_total")
        self._bytes = counter("laketag_bytes_read_total")
        self._retries = counter("laketag_fetch_retries_total")
        self._rate = gauge("laketag_images_per_second")
        self._done = gauge("laketag_run_done_images")
        gauge("laketag_run_planned_images").set(planned, self._tags)

    def add(self, receipt: dict[str, Any]) -> None:
        """Count one row of a receipt of pipeline.stages.write_labels."""
        self._images.inc(receipt["images"], self._tags | {"outcome": receipt["outcome"]})
        for metric, value in ((self._bytes, receipt["fetched_bytes"]), (self._retries, receipt["retries"])):
            if value:
                metric.inc(value, self._tags)

    def show(self, done: int, images_per_s: float) -> None:
        """Set the gauges."""
        self._done.set(done, self._tags)
        self._rate.set(images_per_s, self._tags)
