"""When a labelling run stops itself."""

import math
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from laketag.pipeline.config import RunSettings
from laketag.pipeline.errors import StoppedError
from laketag.pipeline.store.locations import hide_secrets
from laketag.schemas import LABELLED

WHAT_TO_CHECK = {
    "not_found": "Check that the folder or disk of the images is there; if they were moved or removed, index again",
    "forbidden": "Check what the credentials may read",
    "throttled": "Lower fetch.concurrency or run.fetch_slots, or ask for more requests",
    "timeout": "Check the network, and raise fetch.deadline_s if the images are large",
    "store_error": "Check the store and the network",
    "changed": "The images were changed since: index again",
    "outside_policy": "Check fetch.allowed_roots, and where the index says that the images are",
    "too_large": "Raise fetch.max_bytes if these are images",
    "too_many_pixels": "Raise decode.max_pixels if these images are meant",
    "not_finite": "Check the pixels of the pictures, or the weights of the models and backbone.precision",
    "poison": "Look for too little memory on the nodes, and in Ray's logs there for crashes",
    "archived": "Restore the images from the archive tier",
}
THE_FILES = "Look at the file: perhaps these are no images, or were not copied whole"


class StopRule:
    """Stops a run when too many of its recent images fail for one reason, because the rest will fail too.

    The window is the largest number of images of which ``failed_images_before_stop`` are over ``max_failed_fraction``.
    Failures that an earlier attempt had already do not count once more: they are tried first when a run goes on.
    """

    def __init__(self, settings: RunSettings, failed_before: Mapping[str, int] | None = None) -> None:
        self._settings = settings
        self._failed_before = Counter(failed_before or {})
        self._window_images = math.ceil(settings.failed_images_before_stop / settings.max_failed_fraction) - 1
        self._recent: deque[tuple[str, int]] = deque()  # outcome and images, in the order in which they came
        self._counts: Counter[str] = Counter()

    def add(self, receipt: Mapping[str, Any]) -> None:
        """Count the images of a row of a receipt (laketag.pipeline.stages.write_labels); a StoppedError if that is too much."""
        reason, images = str(receipt["outcome"]), int(receipt["images"])
        known = min(images, self._failed_before[reason])
        self._failed_before[reason] -= known
        if images > known:
            self._recent.append((reason, images - known))
            self._counts[reason] += images - known
        while (surplus := self._counts.total() - self._window_images) > 0:
            oldest, count = self._recent.popleft()
            self._counts[oldest] -= min(count, surplus)
            if count > surplus:
                self._recent.appendleft((oldest, count - surplus))
        failed = self._counts[reason]
        if reason != LABELLED and failed >= self._settings.failed_images_before_stop:
            raise StoppedError(
                f"{failed:,} of the last {self._counts.total():,} images failed as {reason!r}, such as "
                f"{hide_secrets(receipt['uri'])} "
                f"({receipt['detail']}). {WHAT_TO_CHECK.get(reason, THE_FILES)}; then run the same command: it tries these "
                "images again. To have such failures as rows, raise run.max_failed_fraction = "
                f"{self._settings.max_failed_fraction} (1: never stop) or run.failed_images_before_stop = "
                f"{self._settings.failed_images_before_stop}"
            )
