"""Reading one image from an object store."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.fetch_failures import FetchError
from laketag.pipeline.images.fetch_files import UNKNOWN_ETAG, check_size
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.s3_access import resolve_access
from laketag.pipeline.store.s3_clients import Requests, is_plain_key
from laketag.pipeline.store.schemes import open_bucket


async def read_object(
    url: str, etag: str, settings: FetchSettings, storage: StorageSettings, odd_keys: "OddKeys"
) -> memoryview | bytes:
    """The bytes of the object's indexed version; a FetchError if there is another, none, or too much."""
    location = parse_url(url)
    if not is_plain_key(location.key):
        return await odd_keys.read(location.bucket, location.key, etag, settings.max_bytes)
    client = open_bucket(location, storage, Requests(settings.deadline_s))
    answer = await client.get_async(location.key, options=version_option(etag))
    check_version(answer.meta["e_tag"], etag)
    size_bytes = answer.meta["size"]
    check_size(size_bytes, settings.max_bytes)  # known before the body, which is then never read
    data = memoryview(await answer.bytes_async())
    if len(data) != size_bytes:
        raise FetchError("store_error", f"{len(data)} of {size_bytes} bytes arrived", transient=True)
    return data


def version_option(etag: str) -> Any:
    """The request's condition that the object still is that version."""
    return {} if etag == UNKNOWN_ETAG else {"if_match": f'"{etag}"'}


def check_version(found: str | None, etag: str) -> None:
    """The ETag that came with an answer is the indexed one; for stores that ignore If-Match."""
    if found and etag != UNKNOWN_ETAG and found.removeprefix("W/").strip('"') != etag:
        raise FetchError("changed", "the object is not the version that was indexed")


class OddKeys:
    """Reads keys such as ``a//b`` or ``a/../b``, which the fast client cannot name, through aiobotocore."""

    def __init__(self, storage: StorageSettings) -> None:
        self._storage = storage
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def __aenter__(self) -> "OddKeys":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def read(self, bucket: str, key: str, etag: str, max_bytes: int) -> bytes:
        """As read_object, for any key."""
        if self._client is None:
            self._client = await self._stack.enter_async_context(self._connect())
        condition = {} if etag == UNKNOWN_ETAG else {"IfMatch": f'"{etag}"'}
        answer = await self._client.get_object(Bucket=bucket, Key=key, **condition)
        async with answer["Body"] as body:
            check_version(answer["ETag"], etag)
            check_size(answer["ContentLength"], max_bytes)
            data: bytes = await body.read()
        return data

    def _connect(self) -> Any:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import AioSession
        from botocore import UNSIGNED

        access = resolve_access(self._storage)
        config: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "region_name": access.region}
        config["response_checksum_validation"] = "when_required"
        if access.anonymous:
            config["signature_version"] = UNSIGNED
        session = AioSession(profile=access.profile)
        return session.create_client("s3", endpoint_url=access.endpoint_url, config=AioConfig(**config))
