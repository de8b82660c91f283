"""The failure of one image: the same value from its URI to its pixels.

schemas/failures.py lists the reasons. They are given where an image is located (image_locations.py), read (fetch*.py;
fetch_failures.py for errors of clients and disks), decoded (decode.py, grey_levels.py, optional_formats.py) and labelled
(stages/label_images.py; stages/death_watch.py and flows/suspects.py for images that kill processes).
"""

from laketag.pipeline.store.faults import StoreFault
from laketag.schemas.failures import Failure


class ImageFailure(Exception):  # noqa: N818  # the image fails, not the program
    """The image cannot be used, for a reason of the closed list; the detail explains it to a person.

    The exception is raised where that turns out, and kept as a value among the results of a batch.
    """

    fault: StoreFault | None = None
    """What may be wrong instead, and not with the image, as long as no other image of the store can be read."""

    def __init__(self, reason: Failure, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: Failure = reason
        self.detail = detail


class PassingFailure(ImageFailure):
    """A failure that may not occur at another try."""

    fault = StoreFault("away")
