"""Objects on S3: all below a prefix, listed by many requests side by side, read, and removed.

S3 lists 1,000 keys a request, in order. A prefix that does not end within a few pages is therefore cut where later keys may
begin, judging by the last key seen: after ``img_004999`` come ``img_005``, ``img_01``, ``img_1`` and so on, whatever the
depth of the folders. Some stores do not list from a given key on (StartAfter), or not in order; there page follows page.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.background import first_done, in_background, iterate_in_background, result_of
from laketag.pipeline.store.errors import read_answer
from laketag.pipeline.store.locations import Listed, Location
from laketag.pipeline.store.readers import BotocoreReader, ObstoreReader, Reader
from laketag.pipeline.store.s3_buckets import bucket_access
from laketag.pipeline.store.s3_clients import LIST, Requests, is_plain_key, open_botocore, open_obstore
from laketag.pipeline.store.versions import version_of_etag

REQUESTS_IN_FLIGHT = 16
PAGE_KEYS = 1000
PAGES_BEFORE_SPLIT = 3
"""A longer range of keys is cut into ranges that are listed side by side."""
ALPHABETS = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True)
class Prefix:
    """The keys of a bucket that begin with a prefix, and the client that lists them."""

    client: Any
    bucket: str
    prefix: str


@dataclass(frozen=True)
class KeyRange:
    """Keys after ``after`` up to and including ``last`` (None: to the end of the prefix)."""

    after: str
    last: str | None


class Page(NamedTuple):
    """Some objects of a listing, as botocore answers them."""

    objects: list[Any]
    is_last: bool


def open_reader(location: Location, storage: StorageSettings, requests: Requests) -> Reader:
    """A reader of the object, through the faster client if that can name it."""
    access = bucket_access(location.bucket, storage)
    if is_plain_key(location.key):
        return ObstoreReader(open_obstore(location.bucket, access, requests), location.key)
    return BotocoreReader(open_botocore(access, requests), location.bucket, location.key)


def list_objects(folder: Location, storage: StorageSettings) -> Iterator[list[Listed]]:
    """Pages of the objects below the folder, in no particular order."""
    prefix = _open_prefix(folder, storage)
    for page in list_pages(prefix):
        yield [
            Listed(
                f"s3://{folder.bucket}/{entry['Key']}",
                version_of_etag(entry.get("ETag")).etag,
                entry["Size"],
                entry["Key"].removeprefix(prefix.prefix),
            )
            for entry in page
        ]


def remove_objects(folder: Location, storage: StorageSettings) -> None:
    """No object is below the folder; all others are as they were, whatever characters its name has."""
    prefix = _open_prefix(folder, storage)
    keys = [entry["Key"] for page in list_pages(prefix) for entry in page]
    for start in range(0, len(keys), PAGE_KEYS):
        _remove(prefix, keys[start : start + PAGE_KEYS])


def list_pages(prefix: Prefix) -> Iterator[list[Any]]:
    """Pages of the prefix's objects, each object once."""
    pages = iterate_in_background(_pages(prefix, "", PAGE_KEYS))
    seen: list[str] = []
    for number, page in enumerate(pages, start=1):
        seen += [entry["Key"] for entry in page.objects]
        yield page.objects
        if page.is_last:
            return
        if number >= PAGES_BEFORE_SPLIT and seen:
            break
    in_order = all(one < other for one, other in pairwise(seen))
    if in_order and result_of(in_background(lambda: _lists_from(prefix, seen[-1]))):
        yield from _list_side_by_side(prefix, _split(KeyRange(seen[-1], None), seen[0], len(prefix.prefix)))
    else:
        yield from (page.objects for page in pages)


def list_range(prefix: Prefix, keys: KeyRange) -> tuple[list[Any], list[KeyRange]]:
    """The range's first objects, and the ranges that remain after a few pages.

    Most ranges between two cuts are empty. So the first request is for a single key, which tells whether the range is.
    """
    objects: list[Any] = []
    for number, page in enumerate(_pages(prefix, keys.after, PAGE_KEYS if keys.last is None else 1)):
        if page.objects and page.objects[0]["Key"] < keys.after:
            raise StorageError(
                f"s3://{prefix.bucket}: the store lists from a given key on (StartAfter) in some requests and in others not; "
                "copy the images to a folder or another store"
            )
        # some stores list that key itself, too
        inside = (entry for entry in page.objects if entry["Key"] > keys.after)
        objects += [entry for entry in inside if keys.last is None or entry["Key"] <= keys.last]
        if page.is_last or (page.objects and keys.last is not None and page.objects[-1]["Key"] >= keys.last):
            break
        if number >= PAGES_BEFORE_SPLIT and objects:
            seen = objects[0]["Key"], objects[-1]["Key"]
            return objects, _split(KeyRange(seen[1], keys.last), seen[0], len(prefix.prefix))
    return objects, []


def _open_prefix(folder: Location, storage: StorageSettings) -> Prefix:
    client = open_botocore(bucket_access(folder.bucket, storage), LIST)
    return Prefix(client, folder.bucket, f"{folder.key}/" if folder.key else "")


def _pages(prefix: Prefix, after: str, first_size: int) -> Iterator[Page]:
    """Pages of the prefix's objects after a key, to the end; some may be empty."""
    request: dict[str, Any] = {"MaxKeys": first_size} | ({"StartAfter": after} if after else {})
    tokens: set[str] = set()
    seen = ""  # keys up to this one have been listed, where no token says where to go on
    while True:
        answer = prefix.client.list_objects_v2(Bucket=prefix.bucket, Prefix=prefix.prefix, **request)
        objects = answer.get("Contents", [])
        is_last = not answer.get("IsTruncated")
        yield Page([entry for entry in objects if entry["Key"] > seen] if seen else objects, is_last)
        if is_last:
            return
        token = answer.get("NextContinuationToken")
        if token and token not in tokens:
            tokens.add(token)
            request = {"MaxKeys": PAGE_KEYS, "ContinuationToken": token}
        elif not token and objects and objects[-1]["Key"] > max(seen, after):
            seen = objects[-1]["Key"]
            request = {"MaxKeys": PAGE_KEYS, "StartAfter": seen}
        else:
            raise StorageError(
                f"s3://{prefix.bucket}/{prefix.prefix}: the store says that more follows and does not list it "
                f"({'NextContinuationToken comes twice' if token else 'without NextContinuationToken'}); "
                "index a table of the images' URIs instead"
            )


def _lists_from(prefix: Prefix, key: str) -> bool:
    """Whether the store lists from a key on that it has listed."""
    try:
        page = prefix.client.list_objects_v2(
            Bucket=prefix.bucket, Prefix=prefix.prefix, MaxKeys=2, StartAfter=key
        )
    except Exception as error:
        if read_answer(error).status in (400, 501):  # refused: directory buckets of AWS
            return False
        raise
    return all(entry["Key"] >= key for entry in page.get("Contents", []))


def _list_side_by_side(prefix: Prefix, ranges: list[KeyRange]) -> Iterator[list[Any]]:
    running: set[Future[tuple[list[Any], list[KeyRange]]]] = set()
    while ranges or running:
        while ranges and len(running) < REQUESTS_IN_FLIGHT:
            running.add(in_background(partial(list_range, prefix, ranges.pop())))
        done, running = first_done(running)
        for future in done:
            objects, rest = future.result()
            ranges += rest
            yield objects


def _remove(prefix: Prefix, keys: list[str]) -> None:
    """The keys exist no more; one request where the store takes that, else one for each."""
    names = [{"Key": key} for key in keys]
    try:
        answer = prefix.client.delete_objects(Bucket=prefix.bucket, Delete={"Objects": names, "Quiet": True})
    except Exception as error:
        if read_answer(error).status not in (400, 405, 411, 501):
            raise
        answer = {"Errors": names}
    for failed in answer.get("Errors", []):
        prefix.client.delete_object(Bucket=prefix.bucket, Key=failed["Key"])


def _split(keys: KeyRange, first_seen: str, fixed: int) -> list[KeyRange]:
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
    return [KeyRange(after, last) for after, last in zip([seen, *cuts], [*cuts, keys.last], strict=True)]
