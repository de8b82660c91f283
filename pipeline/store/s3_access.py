"""How S3 is reached: settings first, then the usual AWS variables and files, the same for every library.

s3fs, polars and obstore each read the AWS environment in their own way and differ in the details (AWS_REGION,
AWS_ENDPOINT_URL_S3, profiles, http). Here it is read once, and each library is told the result.
"""

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import AccessError, StorageError

DEFAULT_REGION = "us-east-1"
TRUE = {"1", "true", "yes", "on"}


@dataclass(frozen=True)
class S3Access:
    """Which store, which region, whose credentials; holds no secret."""

    endpoint_url: str | None
    region: str
    profile: str | None
    anonymous: bool

    @property
    def allow_http(self) -> bool:
        """Whether the endpoint is reached without TLS."""
        return self.endpoint_url is not None and self.endpoint_url.lower().startswith("http://")


def resolve_access(storage: StorageSettings) -> S3Access:
    """What settings, environment and AWS files say together; settings win, then variables, then files."""
    section = _profile_section(storage.profile)
    endpoint_url = storage.endpoint_url or _configured_endpoint(section)
    if endpoint_url is not None and (
        urlsplit(endpoint_url).scheme not in ("http", "https") or not urlsplit(endpoint_url).netloc
    ):
        raise StorageError(
            f"S3 endpoint {endpoint_url!r} is not an http:// or https:// URL; "
            "correct storage.endpoint_url or AWS_ENDPOINT_URL"
        )
    region = (
        storage.region
        or os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
        or section.get("region")
    )
    return S3Access(
        endpoint_url=endpoint_url.rstrip("/") if endpoint_url else None,
        region=region or DEFAULT_REGION,
        profile=storage.profile,
        anonymous=storage.anonymous or os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in TRUE,
    )


def find_credentials(access: S3Access) -> Any:
    """botocore's credentials, which renew themselves where they run out; a StorageError if there are none."""
    import botocore.exceptions
    import botocore.session

    try:
        credentials = botocore.session.Session(profile=access.profile).get_credentials()
    except botocore.exceptions.BotoCoreError as error:
        raise no_credentials("s3://", str(error)) from None
    if credentials is None:
        raise no_credentials("s3://", "none were found")
    return credentials


def no_credentials(url: str, detail: str) -> AccessError:
    """The error for requests that cannot be signed."""
    return AccessError(
        f"{url}: no usable credentials for the store ({detail.rstrip('.')}); "
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile (storage.profile or AWS_PROFILE), "
        "or read a public bucket with storage.anonymous = true"
    )


def environment_key() -> str:
    """A digest that changes with AWS variables, AWS files and the process: client caches are keyed by it."""
    parts = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("AWS_")]
    parts.append(str(os.getpid()))
    for variable, default in (
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        ("AWS_CONFIG_FILE", "~/.aws/config"),
    ):
        try:
            status = Path(os.environ.get(variable, default)).expanduser().stat()
        except (OSError, RuntimeError):
            continue
        parts.append(f"{status.st_mtime_ns} {status.st_size}")
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _configured_endpoint(section: dict[str, Any]) -> str | None:
    """The endpoint of the environment, or of the profile, in the order of the AWS tools."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() in TRUE:
        return None
    for variable in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if endpoint_url := os.environ.get(variable):
            return endpoint_url
    endpoint_url = section.get("services", {}).get("s3", {}).get("endpoint_url") or section.get(
        "endpoint_url"
    )
    return endpoint_url if isinstance(endpoint_url, str) else None


def _profile_section(profile: str | None) -> dict[str, Any]:
    """What the AWS files say of the profile, with its services section put in place."""
    import botocore.exceptions
    import botocore.session

    session = botocore.session.Session(profile=profile)
    try:
        section = dict(session.get_scoped_config())
        services = session.full_config.get("services", {}).get(section.get("services"), {})
    except botocore.exceptions.BotoCoreError as error:
        raise StorageError(
            f"{error}; correct storage.profile or AWS_PROFILE, or the AWS configuration files"
        ) from None
    section["services"] = services
    return section
