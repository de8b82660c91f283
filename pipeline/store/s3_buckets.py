"""How one bucket on S3 is reached: as every other, but in its own region."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.errors import read_answer
from laketag.pipeline.store.s3_access import S3Access, resolve_access
from laketag.pipeline.store.s3_clients import Requests, open_botocore

LOOK = Requests(timeout_s=10.0, tries=2)
ONE_AT_A_TIME = threading.Lock()
PASSING = (None, 429, 500, 502, 503, 504)
"""HTTP statuses that tell nothing about the bucket; None: no answer at all."""
ASK_AGAIN_S = 60.0
"""A store that did not answer is asked again after this time: each request blocks all others."""

Clock = Callable[[], float]
_ask_after_s: dict[tuple[str, S3Access], float] = {}


def bucket_access(bucket: str, storage: StorageSettings, clock: Clock = time.monotonic) -> S3Access:
    """The access with the region that the bucket is in, which one request finds out, once in each process.

    obstore and polars do not follow a store that answers "another region". So each client gets the right one.
    """
    access = resolve_access(storage)
    with ONE_AT_A_TIME:
        if not bucket or clock() < _ask_after_s.get((bucket, access), -math.inf):
            return access
        try:
            return replace(access, region=_find_region(bucket, access))
        except _NoAnswerError:
            _ask_after_s[bucket, access] = clock() + ASK_AGAIN_S
            return access


class _NoAnswerError(Exception):
    """The store did not answer, but may do so later."""


@lru_cache(maxsize=256)
def _find_region(bucket: str, access: S3Access) -> str:
    """The region that the store names for the bucket; the configured one where it names none."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    named: list[str] = []

    def note(response_dict: dict[str, Any] | None, **_: object) -> None:
        headers = response_dict["headers"] if response_dict else {}
        named.extend(value for name, value in headers.items() if name.lower() == "x-amz-bucket-region")

    client = open_botocore(access, LOOK)
    event = "response-received.s3.HeadBucket"
    client.meta.events.register(event, note)
    try:
        client.head_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError) as error:  # the request that needs the bucket says what is wrong
        is_answer = isinstance(error, NoCredentialsError) or read_answer(error).status not in PASSING
        if not named and not is_answer:
            raise _NoAnswerError from error
    finally:
        client.meta.events.unregister(event, note)
    return named[0] if named else access.region  # botocore itself goes on to the named region
