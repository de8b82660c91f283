"""What processes of tests do that copy a checkpoint: in a module that is quick to import."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile
from laketag.pipeline.models.node_cache import copy_once
from laketag.pipeline.models.weights import local_copy


def light_processes() -> ForkServerContext:
    """Processes without this one's threads and memory, started in no time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "laketag.pipeline.store.filesystems", "s3fs"])
    return context


class CountedSource:
    """Reads a file in two chunks, slowly, and leaves a byte in a log for each time."""

    def __init__(self, path: Path, log: Path, pause_s: float) -> None:
        self.path, self.log, self.pause_s = path, log, pause_s

    def __call__(self) -> Iterator[bytes]:
        with self.log.open("ab") as log:
            log.write(b".")
        content = self.path.read_bytes()
        yield content[: len(content) // 2]
        time.sleep(self.pause_s)  # so that others come while this one copies
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


def copy_from_s3(
    env: dict[str, str], url: str, storage: StorageSettings, answers: "multiprocessing.Queue[str]"
) -> None:
    """Put the path of the local copy on the queue."""
    os.environ.update(env)
    answers.put(str(local_copy(url, None, storage).path))
