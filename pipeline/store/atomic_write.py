"""Writing one file so that readers find all of it or nothing, and of many writers that create it exactly one wins."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.errors import read_answer
from laketag.pipeline.store.outages import on_filesystem
from laketag.pipeline.store.placed_files import create, placed_file, replace
from laketag.pipeline.store.schemes import is_remote

CONFLICT_ATTEMPTS = 5


def write_bytes(url: str, data: bytes, storage: StorageSettings) -> None:
    """The file at the URL has this content; until then it has its old content, or does not exist."""

    def write(filesystem: Any, path: str) -> None:
        if is_remote(url):
            filesystem.pipe_file(path, data, chunksize=_one_put(data))
        else:
            with placed_file(Path(path), replace) as file:
                file.write(data)

    on_filesystem(url, storage, write, writes=True)


def create_bytes(url: str, data: bytes, storage: StorageSettings) -> bool:
    """The file at the URL exists; returns whether it has this content.

    A file that exists already is left as it is. When an acknowledgement is lost, the client's retry is refused because of
    our own first write: so the content of the existing file is compared.
    """

    def create(filesystem: Any, path: str) -> bool:
        created = _create_object(filesystem, path, data) if is_remote(url) else _create_file(path, data)
        if created:
            return True
        try:
            return bool(filesystem.cat_file(path) == data)
        except FileNotFoundError:  # another process has removed it since
            return False

    return on_filesystem(url, storage, create, writes=True)


def _create_file(path: str, data: bytes) -> bool:
    """Whether the file was created; not if the name exists."""
    with suppress(FileExistsError), placed_file(Path(path), create) as file:
        file.write(data)
        return True
    return False


def _create_object(filesystem: Any, path: str, data: bytes) -> bool:
    """Whether one ``PUT`` with ``If-None-Match: *`` created the object, as far as its answer says."""
    for attempt in range(CONFLICT_ATTEMPTS):
        try:
            filesystem.pipe_file(path, data, mode="create", chunksize=_one_put(data))
            return True
        except FileExistsError:
            return False
        except OSError as error:
            _, status = read_answer(error)
            if status == 412:  # Ceph's refusal arrives as EINVAL, not as FileExistsError
                return False
            if status == 501:
                raise StorageError(
                    f"s3://{path}: the store cannot create an object only if it is absent (If-None-Match), "
                    "so runs could overwrite each other; keep the lake on a store that can, such as AWS S3 or Ceph"
                ) from error
            if status != 409 or attempt + 1 == CONFLICT_ATTEMPTS:
                raise
            time.sleep(0.1 * 2**attempt)  # another conditional write is under way
    raise AssertionError("unreachable: the last attempt returns or raises")


def _one_put(data: bytes) -> int:
    """A chunk size that makes s3fs send the data in one PUT: Ceph ignores If-None-Match for multipart uploads."""
    return len(data) + 1
