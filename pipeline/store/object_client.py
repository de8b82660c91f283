"""The client that reads objects: one for each bucket, in each process (docs/decisions/0002-fetch-client.md)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from obstore.store import S3Store

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.s3_access import environment_key, find_credentials, resolve_access

RENEW_AFTER = timedelta(minutes=5)
"""How long the client keeps credentials before it asks botocore again, which renews those that run out."""


def open_bucket(bucket: str, storage: StorageSettings, timeout_s: float, retries: int = 0) -> S3Store:
    """A client for the bucket, for any thread or loop, whose requests take at most ``timeout_s`` each.

    By default each request is tried once: tries are then the caller's to count.
    """
    return _open_bucket(bucket, storage, timeout_s, retries, environment_key())


def is_plain_key(key: str) -> bool:
    """Whether the client can name the key: it takes '/' for a separator and normalises what lies between."""
    return all(part not in ("", ".", "..") and part.isprintable() for part in key.split("/"))


@lru_cache(maxsize=64)
def _open_bucket(
    bucket: str,
    storage: StorageSettings,
    timeout_s: float,
    retries: int,
    environment: str,  # noqa: ARG001  # part of the cache's key
) -> S3Store:
    access = resolve_access(storage)
    config: dict[str, Any] = {"region": access.region}
    if access.endpoint_url:  # both names: the variable AWS_ENDPOINT_URL_S3 would win over the first alone
        config |= {"endpoint": access.endpoint_url, "aws_endpoint_url_s3": access.endpoint_url}
    if access.anonymous:
        config["skip_signature"] = True
    return S3Store(
        bucket,
        config=config,  # type: ignore[arg-type]  # a TypedDict whose keys depend on the settings
        client_options={
            "allow_http": access.allow_http,
            "timeout": timedelta(seconds=timeout_s),
            "connect_timeout": timedelta(seconds=min(timeout_s, 5.0)),
        },
        retry_config={"max_retries": retries},
        credential_provider=None if access.anonymous else _renewing(find_credentials(access)),  # type: ignore[arg-type]
    )


def _renewing(credentials: Any) -> Callable[[], dict[str, object]]:
    """A provider that answers with botocore's credentials, which honour profiles, web identity and instance roles."""

    def provide() -> dict[str, object]:
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + RENEW_AFTER,
        }

    return provide
