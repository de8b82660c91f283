"""Objects on S3: which version one has, and all below a prefix, listed by many requests side by side.

S3 lists 1,000 keys a request, in order. A range of keys that does not end within a few pages is therefore cut where later
keys may begin, judging by the last key seen: after ``img_004999`` come ``img_005``, ``img_01``, ``img_1`` and so on,
whatever the depth of the folders.
"""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.errors import read_answer
from laketag.pipeline.store.locations import Listed, Location
from laketag.pipeline.store.s3_access import resolve_access
from laketag.pipeline.store.s3_clients import Requests, is_plain_key, open_botocore, open_obstore
from laketag.pipeline.store.versions import UNKNOWN, Version, version_of_etag

REQUESTS_IN_FLIGHT = 16
HEAD = Requests(timeout_s=30.0, tries=6)
LIST = Requests(timeout_s=60.0, tries=7)
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
    """Keys after ``after``, as S3's StartAfter counts, up to and including ``last`` (None: to the end of the prefix)."""

    after: str
    last: str | None


def find_object_version(location: Location, storage: StorageSettings) -> Version:
    """The object's version; unknown if there is no such object or these credentials may not see it."""
    access = resolve_access(storage)
    try:
        if not location.key:
            return Version(UNKNOWN)
        if is_plain_key(location.key):  # many times faster
            return version_of_etag(open_obstore(location.bucket, access, HEAD).head(location.key)["e_tag"])
        client = open_botocore(access, HEAD)
        return version_of_etag(client.head_object(Bucket=location.bucket, Key=location.key).get("ETag"))
    except Exception as error:
        if isinstance(error, FileNotFoundError) or read_answer(error).status in (401, 403, 404):
            return Version(UNKNOWN)
        raise


def list_objects(folder: Location, storage: StorageSettings) -> Iterator[list[Listed]]:
    """Pages of the objects below the folder, in no particular order."""
    prefix = Prefix(
        open_botocore(resolve_access(storage), LIST), folder.bucket, f"{folder.key}/" if folder.key else ""
    )
    for page in _list_side_by_side(prefix):
        yield [
            Listed(
                f"s3://{folder.bucket}/{entry['Key']}",
                version_of_etag(entry.get("ETag")).etag,
                entry["Size"],
                entry["Key"].removeprefix(prefix.prefix),
            )
            for entry in page
        ]


def list_range(prefix: Prefix, keys: KeyRange) -> tuple[list[Any], list[KeyRange]]:
    """The range's first objects, and the ranges that remain after a few pages.

    Most ranges between two cuts are empty. So the first request is for a single key, which tells whether the range is.
    """
    objects: list[Any] = []
    after = keys.after
    sizes = [PAGE_KEYS] * PAGES_BEFORE_SPLIT if keys.last is None else [1, *[PAGE_KEYS] * PAGES_BEFORE_SPLIT]
    for size in sizes:
        start = {"StartAfter": after} if after else {}
        page = prefix.client.list_objects_v2(
            Bucket=prefix.bucket, Prefix=prefix.prefix, MaxKeys=size, **start
        )
        contents = page.get("Contents", [])
        objects += [entry for entry in contents if keys.last is None or entry["Key"] <= keys.last]
        if not page.get("IsTruncated") or (keys.last is not None and contents[-1]["Key"] >= keys.last):
            return objects, []
        after = contents[-1]["Key"]
    return objects, _split(KeyRange(after, keys.last), objects[0]["Key"], len(prefix.prefix))


def _list_side_by_side(prefix: Prefix) -> Iterator[list[Any]]:
    with ThreadPoolExecutor(REQUESTS_IN_FLIGHT, thread_name_prefix="list") as pool:
        waiting: set[Future[tuple[list[Any], list[KeyRange]]]] = {
            pool.submit(list_range, prefix, KeyRange("", None))
        }
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    objects, rest = future.result()
                    waiting |= {pool.submit(list_range, prefix, part) for part in rest}
                    yield objects
        finally:  # after an error, what has not begun need not begin
            for future in waiting:
                future.cancel()


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
