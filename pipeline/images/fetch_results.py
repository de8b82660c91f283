"""The results of a batch, and the failures that may be the store's fault."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from laketag.pipeline.images.doubts import Doubt, find_doubt, is_of_the_image
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.witnesses import find_folder, note_read, store_group
from laketag.pipeline.store.faults import StoreFault
from laketag.pipeline.store.locations import Location

Image = memoryview | bytes | ImageFailure


@dataclass(frozen=True)
class Fetched:
    """The bytes of one image, or its failure; ``attempts`` counts the tries."""

    data: memoryview | bytes | None
    attempts: int
    failure: ImageFailure | None = None


class FetchResults:
    """``found`` has the results of a batch by the image's index; doubts are kept until it is known whose fault they are."""

    def __init__(self) -> None:
        self.found: dict[int, Fetched] = {}
        self._doubts: dict[int, Doubt] = {}
        self._served: set[tuple[str, str]] = set()  # in this round
        self._read_again: set[int] = set()
        self._attempts = Counter[int]()

    def keep(self, image: Image, attempts: int, indexes: Sequence[int], file: Location | None = None) -> None:
        """The images with these indexes, in the file, have this result, unless that may be a fault of the store."""
        if isinstance(image, ImageFailure):
            image = image.with_traceback(None)  # its frames may hold the image's bytes
        elif file is not None:
            note_read(file)
            self._served.add(store_group(file))
        for index in indexes:
            self._attempts[index] += attempts
            if not isinstance(image, ImageFailure):
                self.found[index] = Fetched(image, self._attempts[index])
            elif file is not None and (doubt := find_doubt(image, file)):
                self._doubts[index] = doubt
            else:
                self.found[index] = Fetched(None, self._attempts[index], image)

    async def take_doubts(self, read: Callable[[Location], Awaitable[object]]) -> dict[int, Doubt | None]:
        """The images to read again, with the fault of the store; None where it answers again and may have been away.

        Those that failed while others are read have their failure.
        """
        doubts, served = self._doubts, self._served
        self._doubts, self._served = {}, set()
        judged: dict[tuple[object, StoreFault], bool] = {}
        again: dict[int, Doubt | None] = {}
        for index, doubt in doubts.items():
            store = store_group(doubt.file)
            key = find_folder(doubt.file) if doubt.file.is_local else store, doubt.fault
            if key not in judged:
                judged[key] = await is_of_the_image(doubt, read)
            if not judged[key]:
                again[index] = doubt
            elif doubt.may_have_passed(is_served=store in served) and index not in self._read_again:
                self._read_again.add(index)
                again[index] = None
            else:
                self.found[index] = Fetched(None, self._attempts[index], doubt.failure)
        return again
