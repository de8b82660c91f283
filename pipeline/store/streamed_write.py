"""Writing one file piece by piece so that readers find all of it or what was there before."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.placed_files import placed_file, replace
from laketag.pipeline.store.schemes import is_remote, open_filesystem


@contextmanager
def replace_file(url: str, storage: StorageSettings) -> Iterator[IO[bytes]]:
    """What the block writes is the new content of the file at the URL; after an error in it the file is as before."""
    filesystem, path = open_filesystem(url, storage)
    with store_errors(url):
        writing = (
            _replace_object(filesystem, path)
            if is_remote(url)
            else placed_file(Path(path).resolve(), replace)  # a link stays one
        )
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
