"""The S3 clients, one for each way of using S3; all get the same S3Access.

s3fs      for our tables: whole files, folders and conditional writes, with a blocking interface
polars    for scans of our tables; it brings its own client and gets options
obstore   for many GETs of images: 4 times as many a second as any other (docs/decisions/0002-fetch-client.md)
botocore  for listing in many threads, and for keys such as ``a//b``, which obstore cannot name
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from laketag.pipeline.store.s3_access import S3Access, find_credentials

if TYPE_CHECKING:
    from obstore.store import S3Store

CONNECTIONS = 64
"""Connections that one client keeps open."""
CONNECT_S = 5.0
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
RENEW_AFTER = timedelta(minutes=5)
"""How long obstore keeps credentials before it asks botocore again, which renews those that expire."""


@dataclass(frozen=True)
class Requests:
    """How a client sends requests: how long it waits for one, and how often it tries."""

    timeout_s: float
    tries: int = 1

    def obstore_options(self, *, allow_http: bool) -> dict[str, Any]:
        """What makes a client of obstore send requests so."""
        times = {"timeout": self.timeout_s, "connect_timeout": min(self.timeout_s, CONNECT_S)}
        return {
            "client_options": {"allow_http": allow_http}
            | {name: timedelta(seconds=seconds) for name, seconds in times.items()},
            "retry_config": {"max_retries": self.tries - 1},
        }


LIST = Requests(timeout_s=60.0, tries=7)
"""Of listings and of what removes folders."""


@lru_cache(maxsize=16)
def open_s3fs(access: S3Access) -> Any:
    """The fsspec filesystem of all buckets. Listings are never cached: other processes write to the same store."""
    import s3fs

    return s3fs.S3FileSystem(
        anon=access.anonymous,
        endpoint_url=access.endpoint_url,
        config_kwargs=_botocore_config(access),
        profile=access.profile,
        requester_pays=access.requester_pays,
        use_listings_cache=False,
        skip_instance_cache=True,
    )


@lru_cache(maxsize=64)
def open_obstore(bucket: str, access: S3Access, requests: Requests) -> "S3Store":
    """A client for the bucket that any thread or event loop may use."""
    from obstore.store import S3Store

    return S3Store(
        bucket,
        config=_object_store_config(access, bucket),  # type: ignore[arg-type]  # a TypedDict whose keys depend on the settings
        **requests.obstore_options(allow_http=access.allow_http),
        credential_provider=None if access.anonymous else _renewing(find_credentials(access)),  # type: ignore[arg-type]
    )


@lru_cache(maxsize=16)
def open_botocore(access: S3Access, requests: Requests, signature: str | None = None) -> Any:
    """A client that many threads may use and that names every key exactly; ``signature`` is botocore's signature_version.

    Times in its answers stay text, because parsing them takes longer than the rest of a listing.
    """
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    if not access.anonymous:
        find_credentials(access)  # an AccessError now, rather than an error of botocore's at each request
    session = botocore.session.Session(profile=access.profile)
    session.register_component("data_loader", _api_loader(session.get_config_variable("data_path")))
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
    config = Config(
        **_botocore_config(access),
        connect_timeout=min(requests.timeout_s, CONNECT_S),
        read_timeout=requests.timeout_s,
        retries={"mode": "standard", "total_max_attempts": requests.tries},
        signature_version=UNSIGNED if access.anonymous else signature,
    )
    client = session.create_client("s3", endpoint_url=access.endpoint_url, config=config)
    if access.requester_pays:
        client.meta.events.register("before-call.s3", _offer_to_pay)
    return client


@lru_cache(maxsize=1)
def _api_loader(search_path: str | None) -> Any:
    """Reads botocore's description of S3, megabytes of JSON, and keeps it: a session of its own for each client would not."""
    import botocore.loaders

    return botocore.loaders.create_loader(search_path)


def is_plain_key(key: str) -> bool:
    """Whether obstore can name the key: it takes ``/`` for a separator, and refuses or normalises some parts between."""
    return not CONTROL.search(key) and all(part not in ("", ".", "..") for part in key.split("/"))


def polars_options(bucket: str, access: S3Access) -> dict[str, str]:
    """What polars needs to reach the bucket; holds the credentials, so never print it.

    Temporary credentials expire, so make new options for each scan.
    """
    options = _object_store_config(access, bucket)
    if access.endpoint_url:
        options["aws_allow_http"] = str(access.allow_http).lower()
    if access.anonymous:
        return options
    credentials = find_credentials(access).get_frozen_credentials()
    options |= {"aws_access_key_id": credentials.access_key, "aws_secret_access_key": credentials.secret_key}
    return options | ({"aws_session_token": credentials.token} if credentials.token else {})


def _botocore_config(access: S3Access) -> dict[str, Any]:
    """Settings of the clients that are built on botocore."""
    request, response = access.checksums
    return {
        "region_name": access.region,
        "max_pool_connections": CONNECTIONS,
        "request_checksum_calculation": request,
        "response_checksum_validation": response,
        "s3": {"addressing_style": access.addressing},
    }


def _object_store_config(access: S3Access, bucket: str) -> dict[str, str]:
    """Settings of the clients that are built on the Rust crate object_store."""
    config = {"aws_region": access.region}
    endpoint_url = access.endpoint_url
    if access.addressing == "virtual":
        config["aws_virtual_hosted_style_request"] = "true"
        endpoint_url = endpoint_url and endpoint_url.replace("://", f"://{bucket}.", 1)
    if endpoint_url:  # both names: the variable AWS_ENDPOINT_URL_S3 would override the first alone
        config |= {"aws_endpoint_url": endpoint_url, "aws_endpoint_url_s3": endpoint_url}
    if access.requester_pays:
        config["aws_request_payer"] = "true"
    return config | ({"aws_skip_signature": "true"} if access.anonymous else {})


def _offer_to_pay(params: dict[str, Any], **_: object) -> None:
    """The request says that its sender pays for it."""
    params["headers"]["x-amz-request-payer"] = "requester"


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
