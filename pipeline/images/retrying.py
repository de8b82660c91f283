"""Retries of one read, until it succeeds, fails for good, or runs out of tries or time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from laketag.pipeline.config import FetchSettings
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.images.byte_limits import NoRoomError
from laketag.pipeline.images.fetch_failures import explain
from laketag.pipeline.images.image_failure import ImageFailure, PassingFailure

T = TypeVar("T")


@dataclass(frozen=True)
class Tried(Generic[T]):
    """The result of a read, or its failure, after this many tries."""

    outcome: T | ImageFailure
    attempts: int


async def read_with_retries(
    read: Callable[[], Awaitable[T]], settings: FetchSettings, deadline_s: float
) -> Tried[T]:
    """The result within the deadline. What is no fault of the image, such as missing credentials or memory, is raised.

    Waits between tries are drawn uniformly from zero to a bound that doubles ("full jitter").
    """
    attempts = 0
    last: ImageFailure | None = None
    tries = AsyncRetrying(
        stop=stop_after_attempt(settings.attempts),
        wait=wait_random_exponential(multiplier=2 * settings.backoff_s, max=settings.max_backoff_s),
        retry=retry_if_exception_type(PassingFailure),
        reraise=True,
    )
    try:
        async with asyncio.timeout(deadline_s):
            async for attempt in tries:
                with attempt:
                    attempts += 1
                    try:
                        return Tried(await read(), attempts)
                    except (LaketagError, NoRoomError, MemoryError):
                        raise
                    except Exception as error:  # noqa: BLE001  # explained and raised again
                        last = explain(error)
                        raise last from None
    except ImageFailure as failure:
        return Tried(failure, attempts)
    except TimeoutError:
        if last is not None and last.reason == "throttled":  # the store's answer says more than our clock
            return Tried(last, attempts)
        after = f", after: {last.detail}" if last else ""
        return Tried(PassingFailure("timeout", f"not read within {deadline_s:g} s{after}"), attempts)
    raise AssertionError("unreachable: the last try returns or raises")
