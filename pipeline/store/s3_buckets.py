"""How one bucket on S3 is reached: as every other, but in its own region."""

import threading
from dataclasses import replace
from functools import lru_cache
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.s3_access import S3Access, resolve_access
from laketag.pipeline.store.s3_clients import Requests, open_botocore

LOOK = Requests(timeout_s=10.0, tries=2)
ONE_AT_A_TIME = threading.Lock()


def bucket_access(bucket: str, storage: StorageSettings) -> S3Access:
    """The access with the region that the bucket is in, which one request finds out, once in each process.

    obstore and polars do not follow a store that answers "another region". So each client gets the right one.
    """
    access = resolve_access(storage)
    with ONE_AT_A_TIME:
        return replace(access, region=_find_region(bucket, access)) if bucket else access


@lru_cache(maxsize=256)
def _find_region(bucket: str, access: S3Access) -> str:
    """The region that the store names for the bucket; the configured one where it names none or does not answer."""
    from botocore.exceptions import BotoCoreError, ClientError

    named: list[str] = []

    def note(response_dict: dict[str, Any] | None, **_: object) -> None:
        headers = response_dict["headers"] if response_dict else {}
        named.extend(value for name, value in headers.items() if name.lower() == "x-amz-bucket-region")

    client = open_botocore(access, LOOK)
    event = "response-received.s3.HeadBucket"
    client.meta.events.register(event, note)
    try:
        client.head_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError):  # the request that needs the bucket says what is wrong
        pass
    finally:
        client.meta.events.unregister(event, note)
    return named[0] if named else access.region  # botocore itself goes on to the named region
