"""The only place that makes a filesystem: a local folder, or S3 as the settings and the usual AWS variables say."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound
from botocore.session import Session

from pipeline.config import StorageSettings
from pipeline.errors import SettingsError, StorageError


def is_remote(url: str) -> bool:
    """Whether the URL names something in an object store."""
    return "://" in url and not url.startswith("file://")


def normalise_url(path_or_url: str) -> str:
    """An ``s3://`` URL without a slash at its end, or the absolute path of a local one."""
    if not is_remote(path_or_url):
        return str(Path(path_or_url.removeprefix("file://")).expanduser().absolute())
    if not path_or_url.startswith("s3://"):
        raise SettingsError(f"{path_or_url!r}: laketag reads folders and s3:// URLs; copy the data to one of them")
    return path_or_url.rstrip("/")


def endpoint_url(storage: StorageSettings) -> str | None:
    """The S3 endpoint of the settings, or of the AWS variables; None for AWS itself."""
    return storage.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def open_filesystem(url: str, storage: StorageSettings) -> tuple[fsspec.AbstractFileSystem, str]:
    """The filesystem that a URL lies on, and its path there; nothing is asked of the store yet."""
    if not is_remote(url):
        return fsspec.filesystem("file"), normalise_url(url)
    if not url.startswith("s3://"):
        raise SettingsError(f"{url!r}: laketag reads folders and s3:// URLs; copy the data to one of them")
    client: dict[str, Any] = {"region_name": storage.region} if storage.region else {}
    filesystem = fsspec.filesystem(
        "s3",
        anon=storage.anonymous,
        profile=storage.profile,
        endpoint_url=endpoint_url(storage),
        client_kwargs=client,
        use_listings_cache=False,
        skip_instance_cache=False,
    )
    return filesystem, url.removeprefix("s3://").rstrip("/")


def storage_options(storage: StorageSettings) -> dict[str, str]:
    """The same store for Polars (object_store keys)."""
    options: dict[str, str] = {}
    endpoint = endpoint_url(storage)
    if endpoint:
        options["aws_endpoint_url"] = endpoint
        options["aws_allow_http"] = str(endpoint.startswith("http://")).lower()
    session = Session(profile=storage.profile)
    region = storage.region or session.get_config_variable("region")
    if region:
        options["aws_region"] = region
    if storage.anonymous:
        return options | {"aws_skip_signature": "true"}
    credentials = session.get_credentials()
    if credentials is not None:
        frozen = credentials.get_frozen_credentials()
        options["aws_access_key_id"], options["aws_secret_access_key"] = frozen.access_key, frozen.secret_key
        if frozen.token:
            options["aws_session_token"] = frozen.token
    return options


@contextmanager
def store_errors(url: str) -> Iterator[None]:
    """What the store refuses becomes a StorageError that names the URL and the fix."""
    try:
        yield
    except (NoCredentialsError, ProfileNotFound) as error:
        raise StorageError(
            f"{url}: no credentials ({error}); set the usual AWS variables, storage.profile, or storage.anonymous = true"
        ) from error
    except PermissionError as error:
        raise StorageError(f"{url}: access denied; allow it to these credentials, or name others") from error
    except FileNotFoundError as error:
        raise StorageError(f"{url}: does not exist ({_reason(error)}); correct the name, or make the bucket or folder") from error
    except (ClientError, BotoCoreError, OSError) as error:
        raise StorageError(f"{url}: the store answers: {_reason(error)}; check the endpoint and try again") from error


def _reason(error: BaseException) -> str:
    """The store's own words on one line, without a signed query."""
    return re.sub(r"\?\S*", "", " ".join(str(error).split())) or type(error).__name__
