"""Finding the images below a folder or an ``s3://`` prefix."""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.image_formats import IMAGE_EXTENSIONS
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.s3_access import resolve_access
from laketag.pipeline.store.s3_clients import Requests, open_botocore
from laketag.pipeline.store.schemes import is_remote, normalise_url

FOLDER_BATCH_ROWS = 10_000
LISTERS = 16
"""Requests for keys in flight."""
PAGES_BEFORE_SPLIT = 3
"""A range of keys that is longer is cut into ranges that are listed side by side."""
ALPHABETS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def image_id(uri: str) -> str:
    """blake2b-128 of the URI, in hex."""
    return hashlib.blake2b(uri.encode(), digest_size=16).hexdigest()


@dataclass
class ImageListing:
    """The images below a source, in frames of uri, etag, size_bytes and path (relative to the source).

    Iterate once; meanwhile ``left_out`` counts the files that are no images by extension. Hidden files and folders
    (a name that begins with a dot) are passed over.
    """

    source: str
    storage: StorageSettings
    left_out: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        source = normalise_url(self.source)
        with store_errors(source):
            pages = _list_bucket(source, self.storage) if is_remote(source) else _walk(source)
            for page in pages:
                rows = [(uri, etag, size, path) for uri, etag, size, path in page if self._is_image(path)]
                if rows:
                    yield pl.DataFrame(
                        rows,
                        {"uri": pl.String, "etag": pl.String, "size_bytes": pl.Int64, "path": pl.String},
                        orient="row",
                    )

    def _is_image(self, path: str) -> bool:
        parts = PurePosixPath(path)
        if path.endswith("/") or any(part.startswith(".") for part in parts.parts):
            return False
        if any("\ud800" <= character <= "\udfff" for character in path):
            self.left_out["name is not UTF-8"] += 1
            return False
        extension = parts.suffix.lower().removeprefix(".")
        if extension in IMAGE_EXTENSIONS:
            return True
        self.left_out[f".{extension}" if extension else "no extension"] += 1
        return False


Row = tuple[str, str, int, str]


def _walk(source: str) -> Iterator[list[Row]]:
    """Pages of the files of a folder, in the order of their names; links to folders are followed, but no circle."""
    if not os.path.isdir(source):  # noqa: PTH112  # os.scandir below wants strings as well
        raise InputError(
            f"{source} is no folder; name a folder of images, an s3:// prefix, or a .parquet index"
        )
    page: list[Row] = []
    above = {os.path.realpath(source)}
    for path, status in _scan(source, above):
        page.append(
            (path, f"{status.st_size}-{status.st_mtime_ns}", status.st_size, os.path.relpath(path, source))
        )
        if len(page) == FOLDER_BATCH_ROWS:
            yield page
            page = []
    yield page


def _scan(folder: str, above: set[str]) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            status = entry.stat()
        except OSError:  # a link to nowhere or to itself, or gone since
            continue
        if stat.S_ISREG(status.st_mode):
            yield entry.path, status
        if not stat.S_ISDIR(status.st_mode):  # pipes and devices hold no images
            continue
        real = os.path.realpath(entry.path)
        if real not in above:
            yield from _scan(entry.path, above | {real})


@dataclass(frozen=True)
class _Range:
    """Keys after ``after`` up to and including ``last`` (None: to the end of the prefix), as S3's StartAfter counts."""

    after: str
    last: str | None


def _list_bucket(source: str, storage: StorageSettings) -> Iterator[list[Row]]:
    """Pages of the objects below a prefix, in no order, from many requests side by side.

    A range of keys that does not end within a few pages is cut where later keys may begin, judging by the last key seen:
    after ``img_004999`` come ``img_005``, ``img_01``, ``img_1`` and so on, whatever the depth of the folders.
    """
    client = open_botocore(resolve_access(storage), Requests(60.0, tries=7))
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    prefix = f"{prefix}/" if prefix else ""
    found = 0
    with ThreadPoolExecutor(LISTERS, thread_name_prefix="list") as pool:
        waiting = {pool.submit(_list_range, client, bucket, prefix, _Range("", None))}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                objects, rest = _result(future, waiting)
                waiting |= {pool.submit(_list_range, client, bucket, prefix, part) for part in rest}
                found += len(objects)
                yield [
                    (
                        f"s3://{bucket}/{entry['Key']}",
                        entry["ETag"].strip('"'),
                        entry["Size"],
                        entry["Key"].removeprefix(prefix),
                    )
                    for entry in objects
                ]
    if not found:
        raise InputError(f"{source} holds no object; check the prefix")


def _result(
    future: "Future[tuple[list[Any], list[_Range]]]", waiting: set[Any]
) -> tuple[list[Any], list[_Range]]:
    try:
        return future.result()
    except BaseException:
        for other in waiting:
            other.cancel()
        raise


def _list_range(client: Any, bucket: str, prefix: str, keys: _Range) -> tuple[list[Any], list[_Range]]:
    """The range's first objects, and the ranges that are left after a few pages.

    Most ranges between two cuts hold nothing: whether the next key lies beyond is asked for that key alone.
    """
    objects: list[Any] = []
    after = keys.after
    sizes = [1000] * PAGES_BEFORE_SPLIT if keys.last is None else [1, *[1000] * PAGES_BEFORE_SPLIT]
    for size in sizes:
        start = {"StartAfter": after} if after else {}
        page = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=size, **start)
        contents = page.get("Contents", [])
        objects += [entry for entry in contents if keys.last is None or entry["Key"] <= keys.last]
        if not page.get("IsTruncated") or (keys.last is not None and contents[-1]["Key"] >= keys.last):
            return objects, []
        after = contents[-1]["Key"]
    return objects, _split(_Range(after, keys.last), objects[0]["Key"], len(prefix))


def _split(keys: _Range, first_seen: str, fixed: int) -> list[_Range]:
    """Ranges that together are the given one, cut where a character up to the first one that changed grows.

    The first ``fixed`` characters are the prefix and never change. Keys are ordered by code point, here and in S3.
    """
    seen = keys.after
    changed = next(
        (at for at, (a, b) in enumerate(zip(first_seen, seen, strict=False)) if a != b), len(seen) - 1
    )
    cuts = sorted(
        seen[:at] + character
        for at in range(fixed, min(changed + 1, len(seen)))
        for alphabet in ALPHABETS
        if seen[at] in alphabet
        for character in alphabet[alphabet.index(seen[at]) + 1 :]
    )
    cuts = [cut for cut in cuts if keys.last is None or cut < keys.last]
    return [_Range(after, last) for after, last in zip([seen, *cuts], [*cuts, keys.last], strict=True)]
