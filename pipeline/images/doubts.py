"""Whether an image failed, or the store: a failure is the image's own only while others can be read."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from laketag.pipeline.errors import AccessError, LaketagError, StorageError
from laketag.pipeline.images.fetch_failures import explain
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.witnesses import find_witnesses, note_read
from laketag.pipeline.store.faults import StoreFault
from laketag.pipeline.store.locations import Location, hide_secrets

OF_THE_STORE = ("away", "bucket", "region", "folder")
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
        store = Location(self.file.scheme, self.file.bucket, "").url or str(Path(self.file.key).parent)
        others = "" if self.fault.is_certain else ", and no other image there can be read"
        return f"{store}: {self.failure.detail}{others}; {self.fault.advise(self.file.scheme)}"

    def may_have_passed(self, is_served: bool) -> bool:
        """Whether the image may be readable by now, as others are; ``is_served``: some were read in the same round."""
        return self.fault.is_certain or (self.fault.name == "away" and not is_served)

    def error(self, images: int) -> StorageError:
        """The error that ends the run, if the fault keeps this number of images from being read."""
        error = StorageError if self.fault.name in OF_THE_STORE else AccessError
        return error(
            f"{self.sentence}. {images:,} image(s), such as {hide_secrets(self.file.url)}, were not read and get no result; "
            "run the same command again when the cause is gone"
        )


def find_doubt(failure: ImageFailure, file: Location) -> Doubt | None:
    """The doubt whether it is the image that failed, if there may be one."""
    if (
        file.is_local
        and failure.reason in ("not_found", "forbidden")
        and not _is_in_order(Path(file.key).parent)
    ):
        failure.fault = StoreFault("folder")
    return Doubt(file, failure) if failure.fault is not None and failure.reason != "archived" else None


async def is_of_the_image(doubt: Doubt, read: Callable[[Location], Awaitable[object]]) -> bool:
    """Whether the image fails although the store is in order now: another image of it can be read."""

    async def shows_it(witness: Location) -> bool:
        try:
            await read(witness)
        except (LaketagError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  # explained
            fault = explain(error).fault
            answers = fault is None or fault.name in ("denied", "bucket")
            return doubt.fault.name == "away" and answers and not witness.is_local
        note_read(witness)
        return True

    witnesses = find_witnesses(doubt.file, doubt.fault)
    return any(await asyncio.gather(*(shows_it(witness) for witness in witnesses)))


def _is_in_order(folder: Path) -> bool:
    """Whether the folder can be listed; where a disk is not mounted, folders on it are gone."""
    try:
        with os.scandir(folder):
            return True
    except NotADirectoryError:
        return True  # a file is there now
    except OSError:
        return False
