"""Whether an image failed, or the store: a failure is the image's own only while others can be read."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from laketag.pipeline.errors import AccessError, LaketagError, StorageError
from laketag.pipeline.images.fetch_failures import explain
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.witnesses import find_witnesses
from laketag.pipeline.store.faults import StoreFault
from laketag.pipeline.store.locations import Location

OF_THE_STORE = ("away", "bucket", "region")
"""Faults that no credentials remove."""


@dataclass(frozen=True)
class Doubt:
    """A failure that may be a fault of the store; ``file`` is the image, or the table that it is embedded in."""

    file: Location
    failure: ImageFailure

    @property
    def fault(self) -> StoreFault:
        """The fault of the store."""
        assert self.failure.fault is not None
        return self.failure.fault

    @property
    def sentence(self) -> str:
        """What the store does, and what to check."""
        store = Location(self.file.scheme, self.file.bucket, "").url or self.file.key
        others = "" if self.fault.is_certain else ", and no other image there can be read"
        return f"{store}: {self.failure.detail}{others}; {self.fault.advise(self.file.scheme)}"

    def error(self, images: int) -> StorageError:
        """The error that ends the run, if the fault keeps this number of images from being read."""
        error = StorageError if self.fault.name in OF_THE_STORE else AccessError
        return error(
            f"{self.sentence}. {images:,} image(s), such as {self.file.url}, were not read and get no result; "
            "run the same command again when the cause is gone"
        )


def is_doubtful(failure: ImageFailure, file: Location) -> bool:
    """Whether the store may be at fault. Files of this machine fail for themselves, unless the disk's network is away."""
    if file.is_local and failure.reason != "store_error":
        return False
    return failure.fault is not None and failure.reason != "archived"


async def is_of_the_image(doubt: Doubt, read: Callable[[Location], Awaitable[object]]) -> bool:
    """Whether the image fails although the store is in order now: another image of it can be read."""
    if doubt.fault.is_certain or doubt.file.is_local:
        return False
    for witness in find_witnesses(doubt.file, doubt.fault):
        try:
            await read(witness)
        except LaketagError:
            raise
        except Exception as error:  # noqa: BLE001  # explained
            fault = explain(error).fault
            if doubt.fault.name == "away" and (fault is None or fault.name in ("denied", "bucket")):
                return True  # the store answers
        else:
            return True
    return False
