"""Writing one file piece by piece so that readers find all of it or what was there before."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.schemes import is_remote, open_filesystem


@contextmanager
def replace_file(url: str, storage: StorageSettings) -> Iterator[IO[bytes]]:
    """What the block writes is the new content of the file at the URL; after an error in it the file is as before."""
    filesystem, path = open_filesystem(url, storage)
    with store_errors(url):
        writing = _replace_object(filesystem, path) if is_remote(url) else _replace_local(path)
        with writing as file:
            yield file


@contextmanager
def _replace_object(filesystem: Any, path: str) -> Iterator[IO[bytes]]:
    """An object appears when its upload, of one or many parts, is completed."""
    file = filesystem.open(path, "wb")
    try:
        yield file
        file.close()
    except BaseException:
        file.closed = True  # or the file would complete the upload when it is collected
        with suppress(Exception):
            file.discard()
        raise


@contextmanager
def _replace_local(path: str) -> Iterator[IO[bytes]]:
    """A file beside it gets its name; a link stays one. The temporary name begins with a dot, so that no reader takes it."""
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
