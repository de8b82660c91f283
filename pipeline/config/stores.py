"""The settings of reaching stores; none of them holds a secret."""

import re
from typing import Literal

from pydantic import Field, field_validator

from laketag.pipeline.config.section import Section


class StoreSection(Section):
    """How a store is reached."""

    endpoint_url: str | None = Field(None, pattern="^https?://[^/]")
    """S3 endpoint URL, for stores other than AWS"""
    region: str | None = None
    """S3 region of buckets for which the store names none"""
    profile: str | None = None
    """profile in the AWS configuration files"""

    @field_validator("endpoint_url")
    @classmethod
    def _check_no_credentials(cls, url: str | None) -> str | None:
        if url is not None and "@" in url:
            raise ValueError(
                "an endpoint's URL holds no credentials, because settings are shown and stored; remove everything before the @ "
                "and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile"
            )
        return url

    @field_validator("endpoint_url", mode="before")  # the validator that is defined last sees the value first
    @classmethod
    def _hide_credentials(cls, url: object) -> object:
        """The URL without credentials, so that no error shows them."""
        return re.sub(r"(\w+://)?.*@", r"\1…@", url) if isinstance(url, str) else url


Addressing = Literal["auto", "path", "virtual"]


class StorageSettings(StoreSection):
    """How object storage is reached; settings that are unset come from the usual AWS variables and profiles."""

    anonymous: bool = False
    """do not sign requests"""
    requester_pays: bool = False
    """pay for requests to buckets whose readers pay"""
    addressing: Addressing = "auto"
    """virtual: https://BUCKET.ENDPOINT/KEY; path: https://ENDPOINT/BUCKET/KEY; auto: as usual for the endpoint"""
    max_outage_s: float = Field(180.0, ge=0)
    """how long a run waits for a store that is away or refuses its credentials, before it ends with exit code 4"""


class SourceSettings(StoreSection):
    """How the store of the images is reached, and of tables of images; settings that are unset are those of [storage]."""

    anonymous: bool | None = None
    """do not sign requests for images; unset: as storage.anonymous"""
    requester_pays: bool | None = None
    """pay for requests for images; unset: as storage.requester_pays"""
    addressing: Addressing | None = None
    """as storage.addressing, for the store of the images; unset: the same"""
