"""Why an image gives no label: one value, from its URI to its pixels."""

from laketag.schemas.failures import Failure


class ImageFailure(Exception):  # noqa: N818  # the image fails, not the program
    """The image gives nothing: a reason of the closed list, and the detail for a person.

    It is raised where the image is found unusable, and kept as a value beside the other images of its batch.
    """

    def __init__(self, reason: Failure, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: Failure = reason
        self.detail = detail


class PassingFailure(ImageFailure):
    """A failure that another try may not meet."""
