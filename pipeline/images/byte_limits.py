"""Limits of the bytes of images that a batch holds in memory, because numbers of images do not limit them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

HELD_BYTES = 128 * 2**20
"""Encoded images that a batch holds at most, apart from one image that is larger, and from pages of web servers that do not
tell their length: these count when they are there, so that at most fetch.concurrency × fetch.max_bytes of them are added."""
DECODED_BYTES = 256 * 2**20
"""Columns of tables, unpacked, of which rows are read at once, apart from one column that is larger."""


class NoRoomError(Exception):
    """The batch is full; the image is read with the next one."""


class ByteBudget:
    """What a batch may hold, shared by the threads that read for it; one image is always taken, whatever its size."""

    def __init__(self, limit_bytes: int = HELD_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0
        self._is_closed = False
        self._lock = threading.Lock()

    @property
    def is_spent(self) -> bool:
        """Whether nothing more should be read."""
        return self._is_closed or self._taken_bytes >= self._limit_bytes

    def take(self, size_bytes: int) -> bool:
        """Whether these bytes may be held as well; if so, they count from now on."""
        with self._lock:
            if self._taken_bytes and self._taken_bytes + size_bytes > self._limit_bytes:
                return False
            self._taken_bytes += size_bytes
            return True

    @contextmanager
    def hold(self, size_bytes: int) -> Iterator[None]:
        """These bytes count while they are read, and from then on unless that fails; a NoRoomError, if they are too many.

        The budget is spent then, so that few images are looked at in vain.
        """
        if not self.take(size_bytes):
            self._is_closed = True
            raise NoRoomError
        try:
            yield
        except BaseException:
            self.add(-size_bytes)
            raise

    def add(self, size_bytes: int) -> None:
        """These bytes are held, within the limit or not; fewer than none give some back."""
        with self._lock:
            self._taken_bytes += size_bytes


class ByteGate:
    """Lets reads begin as long as all that go on need no more than the limit; one is always let in, whatever its size."""

    def __init__(self, limit_bytes: int = DECODED_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._inside_bytes = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def enter(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait until there is room for these bytes, and hold it meanwhile."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: not self._inside_bytes or self._inside_bytes + size_bytes <= self._limit_bytes
            )
            self._inside_bytes += size_bytes
        try:
            yield
        finally:
            async with self._changed:
                self._inside_bytes -= size_bytes
                self._changed.notify_all()
