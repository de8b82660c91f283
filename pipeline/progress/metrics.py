"""The run's own counters and gauges, as Ray exports them to Prometheus.

Ray puts ``ray_`` before each name; a metric is seen on the node whose process reports it. A gauge is exported only when it
was set since the last export, so the driver sets its own every few seconds; a counter stays until its node goes.
"""

from typing import Literal

from ray.util.metrics import Counter, Gauge, Histogram

Kind = Literal["counter", "gauge", "histogram"]

METRICS: dict[str, tuple[Kind, str, tuple[str, ...]]] = {
    "laketag_images_total": (
        "counter",
        "Images done, by outcome: labelled or the failure's reason; a failure counts each time it is tried",
        ("collection", "outcome"),
    ),
    "laketag_bytes_read_total": ("counter", "Encoded image bytes read from the store", ("collection",)),
    "laketag_fetch_retries_total": ("counter", "Tries beyond the first for an image", ("collection",)),
    "laketag_model_seconds_total": (
        "counter",
        "Seconds that label actors spent in the models",
        ("collection",),
    ),
    "laketag_rows_in_flight": (
        "gauge",
        "Images inside a call of a stage now, on one worker",
        ("collection", "stage"),
    ),
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
        "Times that Ray has started a label actor of the run again",
        ("collection",),
    ),
    "laketag_label_batch_seconds": ("histogram", "Seconds of one call of a label actor", ("collection",)),
}
"""Name → kind, meaning, tags."""

BATCH_SECONDS_BOUNDARIES = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0]


def counter(name: str) -> Counter:
    """The counter of that name, for this process."""
    _, description, tags = METRICS[name]
    return Counter(name, description=description, tag_keys=tags)


def gauge(name: str) -> Gauge:
    """The gauge of that name, for this process."""
    _, description, tags = METRICS[name]
    return Gauge(name, description=description, tag_keys=tags)


def histogram(name: str) -> Histogram:
    """The histogram of that name, for this process."""
    _, description, tags = METRICS[name]
    return Histogram(name, description=description, boundaries=BATCH_SECONDS_BOUNDARIES, tag_keys=tags)
