"""The only place that makes a filesystem: a local folder or S3, chosen by the URL."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store.s3_access import environment_key, find_credentials, resolve_access
from laketag.pipeline.store.store_errors import store_errors

__all__ = ["is_remote", "normalise_url", "open_filesystem", "storage_options", "store_errors"]

CONNECTIONS = 64
"""Connections that one s3fs client keeps open."""


def is_remote(url: str) -> bool:
    """Whether the URL means an object store, not a local path."""
    return url.startswith("s3://")


def normalise_url(path_or_url: str) -> str:
    """``s3://bucket/prefix`` without a slash at its end, or the absolute POSIX path of something local."""
    scheme, separator, rest = path_or_url.partition("://")
    if not separator:
        path = Path(path_or_url).expanduser().absolute()
        return (path.resolve() if ".." in path.parts else path).as_posix()
    if scheme == "file":
        return Path(unquote(urlsplit(path_or_url).path)).as_posix()
    if scheme != "s3" or not rest.partition("/")[0]:
        raise SettingsError(
            f"{path_or_url!r} is no place that laketag knows; give a local path or s3://bucket/prefix"
        )
    return path_or_url.rstrip("/")


def open_filesystem(url: str, storage: StorageSettings) -> tuple[fsspec.AbstractFileSystem, str]:
    """The filesystem that holds the URL, with a blocking interface, and the URL's path inside it.

    Nothing is asked yet: wrap what is done with it in ``store_errors(url)``. Writing creates missing folders.
    """
    url = normalise_url(url)
    if not is_remote(url):
        return LocalFileSystem(auto_mkdir=True), url
    return _s3_filesystem(storage, environment_key()), url.removeprefix("s3://")


def storage_options(storage: StorageSettings, url: str = "s3://") -> dict[str, str]:
    """What polars needs to reach the same store with the same credentials; nothing for a local path.

    The credentials are in it: never print it. Those of roles run out, so ask again for each scan.
    """
    if not is_remote(url):
        return {}
    access = resolve_access(storage)
    options = {"aws_region": access.region}
    if access.endpoint_url:  # both names: the variable AWS_ENDPOINT_URL_S3 would win over the first alone
        options |= {"aws_endpoint_url": access.endpoint_url, "aws_endpoint_url_s3": access.endpoint_url}
        options["aws_allow_http"] = str(access.allow_http).lower()
    if access.anonymous:
        return options | {"aws_skip_signature": "true"}
    credentials = find_credentials(access).get_frozen_credentials()
    options |= {"aws_access_key_id": credentials.access_key, "aws_secret_access_key": credentials.secret_key}
    return options | ({"aws_session_token": credentials.token} if credentials.token else {})


@lru_cache(maxsize=16)
def _s3_filesystem(storage: StorageSettings, environment: str) -> Any:  # noqa: ARG001  # part of the cache's key
    """One client for each store and set of credentials; ``environment`` only tells them apart.

    Listings are never cached: other processes write to the same store.
    """
    import s3fs

    access = resolve_access(storage)
    config: dict[str, Any] = {"max_pool_connections": CONNECTIONS, "region_name": access.region}
    if (
        access.endpoint_url
    ):  # stores other than AWS refuse the checksum trailers that botocore adds since 2025
        for name in ("request_checksum_calculation", "response_checksum_validation"):
            config[name] = os.environ.get(f"AWS_{name.upper()}", "when_required").lower()
    return s3fs.S3FileSystem(
        anon=access.anonymous,
        endpoint_url=access.endpoint_url,
        config_kwargs=config,
        profile=access.profile,
        use_listings_cache=False,
        skip_instance_cache=True,
    )
