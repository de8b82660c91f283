"""How S3 is reached: endpoint, region and credentials, from settings, AWS variables and AWS files.

s3fs, polars, obstore and botocore each read the AWS environment in their own way and differ in details (AWS_REGION,
AWS_ENDPOINT_URL_S3, profiles, http). So it is read here, once, and each client gets the result.
"""

import os
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import AccessError, StorageError

DEFAULT_REGION = "us-east-1"
TRUE = {"1", "true", "yes", "on"}
FIXED = ("env", "explicit")
"""Sources of credentials, as botocore calls them, that do not change while a process runs."""
AWS_FILES = (
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ("AWS_CONFIG_FILE", "~/.aws/config"),
)


_renewals = 0


@dataclass(frozen=True)
class S3Access:
    """Everything that a client needs to reach S3, without secrets. Clients are cached by this value."""

    endpoint_url: str | None
    region: str
    profile: str | None
    anonymous: bool
    requester_pays: bool
    addressing: str  # botocore's addressing_style: auto, path or virtual
    checksums: tuple[str, str]  # botocore's request_checksum_calculation and response_checksum_validation
    environment: str = field(repr=False)

    @property
    def allow_http(self) -> bool:
        """Whether the endpoint is reached without TLS."""
        return self.endpoint_url is not None and self.endpoint_url.lower().startswith("http://")


def resolve_access(storage: StorageSettings) -> S3Access:
    """What settings, AWS variables and AWS files say together; settings win, then variables, then files."""
    return _resolve_access(storage, _digest_environment())


def find_credentials(access: S3Access) -> Any:
    """botocore's credentials, which renew themselves when they expire; an AccessError if there are none."""
    import botocore.exceptions
    import botocore.session

    try:
        credentials = botocore.session.Session(profile=access.profile).get_credentials()
    except botocore.exceptions.BotoCoreError as error:
        raise no_credentials("s3://", str(error)) from None
    if credentials is None:
        raise no_credentials("s3://", "none were found")
    return credentials


def renew_access() -> None:
    """Clients are opened anew from now on, with the credentials, region and endpoint that are found then.

    botocore keeps credentials of a program, a login or a role until they expire, also if they were revoked before.
    """
    global _renewals  # part of each S3Access, by which clients are cached
    _renewals += 1


def has_fixed_credentials(storage: StorageSettings) -> bool:
    """Whether this process cannot get other credentials: it sends none, or has them in its environment."""
    access = resolve_access(storage)
    if access.anonymous:
        return True
    try:
        return bool(find_credentials(access).method in FIXED)
    except AccessError:
        return False


def no_credentials(url: str, detail: str) -> AccessError:
    """The error for requests that cannot be signed."""
    return AccessError(
        f"{url}: no usable credentials for the store ({detail.rstrip('.')}); "
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile (storage.profile or AWS_PROFILE), "
        "or read a public bucket with storage.anonymous = true"
    )


@lru_cache(maxsize=16)
def _resolve_access(storage: StorageSettings, environment: str) -> S3Access:
    profile = _read_profile(storage.profile)
    endpoint_url = storage.endpoint_url or _find_endpoint(profile)
    return S3Access(
        endpoint_url=_checked_endpoint(endpoint_url) if endpoint_url else None,
        region=storage.region or _find_region(profile),
        profile=storage.profile,
        anonymous=storage.anonymous or os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in TRUE,
        requester_pays=storage.requester_pays,
        addressing=_find_addressing(storage, profile),
        checksums=_find_checksums(profile, "when_required" if endpoint_url else "when_supported"),
        environment=environment,
    )


def _find_region(profile: dict[str, Any]) -> str:
    """The region of the environment, else of the profile, else the default of AWS."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or profile.get("region")
    return region or DEFAULT_REGION


def _find_addressing(storage: StorageSettings, profile: dict[str, Any]) -> str:
    """Where the bucket's name is in a URL: what the settings say, else the profile."""
    nested = profile.get("s3")
    style = nested.get("addressing_style") if isinstance(nested, dict) else None
    return storage.addressing if storage.addressing != "auto" else style or "auto"


def _find_endpoint(profile: dict[str, Any]) -> str | None:
    """The endpoint of the environment, else of the profile, in the order of the AWS tools."""
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() in TRUE:
        return None
    for variable in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if endpoint_url := os.environ.get(variable):
            return endpoint_url
    endpoint_url = profile["services"].get("s3", {}).get("endpoint_url") or profile.get("endpoint_url")
    return endpoint_url if isinstance(endpoint_url, str) else None


def _checked_endpoint(endpoint_url: str) -> str:
    parts = urlsplit(endpoint_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise StorageError(
            f"S3 endpoint {endpoint_url!r} is not an http:// or https:// URL; "
            "correct storage.endpoint_url or AWS_ENDPOINT_URL"
        )
    return endpoint_url.rstrip("/")


def _find_checksums(profile: dict[str, Any], default: str) -> tuple[str, str]:
    """How often checksums are sent and verified.

    Since 2025 botocore adds checksum trailers by default, which stores other than AWS, such as Ceph, refuse.
    """
    names = ("request_checksum_calculation", "response_checksum_validation")
    request, response = (
        str(os.environ.get(f"AWS_{name.upper()}") or profile.get(name) or default).lower() for name in names
    )
    return request, response


def _read_profile(name: str | None) -> dict[str, Any]:
    """The profile's section of the AWS files, with its ``services`` section in place of that section's name."""
    import botocore.exceptions
    import botocore.session

    session = botocore.session.Session(profile=name)
    try:
        section = dict(session.get_scoped_config())
        services = session.full_config.get("services", {}).get(section.get("services"), {})
    except botocore.exceptions.BotoCoreError as error:
        raise StorageError(
            f"{error}; correct storage.profile or AWS_PROFILE, or the AWS configuration files"
        ) from None
    return {**section, "services": services}


def _digest_environment() -> str:
    """A digest that changes with AWS variables, AWS files and the process, so that no client outlives them."""
    parts = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("AWS_")]
    parts += [str(os.getpid()), str(_renewals)]
    for variable, default in AWS_FILES:
        try:
            status = Path(os.environ.get(variable, default)).expanduser().stat()
        except (OSError, RuntimeError):
            continue
        parts.append(f"{status.st_mtime_ns} {status.st_size}")
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
