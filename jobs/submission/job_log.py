"""The log of a submitted job, read through connections that may break or fall silent; importing this imports Ray."""

import asyncio
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass
from typing import Any

import aiohttp

from laketag.jobs.submission.ray_client import ServerFailedError
from laketag.jobs.submission.ray_jobs import ENDED
from laketag.pipeline.store.errors import without_secrets

Pieces = Generator[str, None, str | None]
"""Pieces of the log, and at last why no more can be had; None if that is all there is."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long one who follows a job waits."""

    poll_s: float = 0.5  # between two looks at a head that does not answer, or at a log that broke off
    refused_s: float = 5.0  # between two looks at a job whose log cannot be followed
    silence_s: float = 30.0  # then the head is asked whether the job still runs
    silences: int = 10  # so many in a row, and the connection is made anew: it may be dead
    reconnect_s: float = (
        60.0  # a port-forward that breaks is usually back by then, and the job goes on without
    )


class JobLog:
    """The log of one job, and how much of it was read."""

    def __init__(self, client: Any, job_id: str, patience: Patience) -> None:
        self._client, self._job_id, self._patience = client, job_id, patience
        self._read_chars = 0
        self.refusals = 0
        """So many connections in a row could not even be made."""

    def tail(self) -> Pieces:
        """What was not read yet, as it is written, through one connection; that begins with the whole log again."""
        seen_chars = 0
        with asyncio.Runner() as runner:
            pieces = self._client.tail_job_logs(self._job_id)
            while True:
                try:
                    piece = self._next(runner, pieces)
                except aiohttp.ClientError as error:  # while it is made; later there are only the others
                    self.refusals += 1
                    return reason(error)
                except (RuntimeError, OSError) as error:
                    return reason(error)
                if piece is None:
                    return None
                self.refusals = 0
                fresh = piece[max(0, self._read_chars - seen_chars) :]
                seen_chars += len(piece)
                if fresh:
                    self._read_chars = seen_chars
                    yield fresh

    def all_at_once(self) -> Pieces:
        """What was not read yet, in one answer: the whole log is in memory for it."""
        try:
            log = self._client.get_job_logs(self._job_id)
        except (RuntimeError, OSError) as error:
            return reason(error)
        yield log[self._read_chars :]
        return None

    def _next(self, runner: asyncio.Runner, pieces: AsyncIterator[str]) -> str | None:
        """The next piece, None after the last; a TimeoutError if the connection is silent and may be dead."""
        coming = runner.get_loop().create_task(_first(pieces))
        for _ in range(self._patience.silences):
            runner.run(asyncio.wait({coming}, timeout=self._patience.silence_s))
            if coming.done():
                return coming.result()
            if self._client.get_job_info(self._job_id).status.value in ENDED:
                break
        raise TimeoutError("the connection is silent")


async def _first(pieces: AsyncIterator[str]) -> str | None:
    return await anext(pieces, None)


def reason(error: Exception) -> str:
    """The error in a few words."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"status {error.status} instead of a websocket"
    if isinstance(error, ServerFailedError | TimeoutError) and str(error):
        return str(error)
    return without_secrets(f"{type(error).__name__}: {error}", 120)
