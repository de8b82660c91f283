"""A slow source of weights and the functions of test processes, which must be importable."""

import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path

from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile
from laketag.pipeline.models.node_cache import copy_once


def light_processes() -> ForkServerContext:
    """Processes that start fast because they have none of this one's threads and memory."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


class CountedSource:
    """Reads a file in two chunks, slowly, and appends a byte to a log for each read."""

    def __init__(self, path: Path, log: Path, pause_s: float) -> None:
        self.path, self.log, self.pause_s = path, log, pause_s

    def __call__(self) -> Iterator[bytes]:
        with self.log.open("ab") as log:
            log.write(b".")
        content = self.path.read_bytes()
        yield content[: len(content) // 2]
        time.sleep(self.pause_s)  # so that other processes come meanwhile
        yield content[len(content) // 2 :]


def copy(
    source: CountedSource, cache: Path, expected: ExpectedSha256 | None = None, version: str = "1"
) -> HashedFile:
    """The source's copy in the cache."""
    return copy_once(source, "s3://b/m.safetensors", expected=expected, version=version, folder=cache)


def copy_with_others(
    source: CountedSource,
    cache: Path,
    expected: ExpectedSha256 | None,
    all_there: Barrier,
    answers: "multiprocessing.Queue[HashedFile]",
) -> None:
    """Put the copy on the queue, made at the same time as the others'."""
    all_there.wait()
    answers.put(copy(source, cache, expected))
