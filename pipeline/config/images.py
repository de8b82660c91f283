"""The settings of reading images."""

import re

from pydantic import Field, field_validator, model_validator

from laketag.pipeline.config.section import Section

ROOT = re.compile(
    r"(?!file:)\w[\w+.-]*://[^/]+(/.*)?"
    r"|(?!(file|s3a?|gs|az|https?):)\w[\w+.-]*:///.+"  # of schemes without a server in their URLs, such as hdfs:///data
    r"|(file://)?/.*|~(/.*)?"
)
"""What fetch.allowed_roots may hold."""


class FetchSettings(Section):
    """How images are read from the store."""

    concurrency: int = Field(32, ge=1, le=4096)
    """number of requests in flight in each fetch task"""
    max_bytes: int = Field(64 * 2**20, ge=1)
    """larger objects fail as too_large"""
    deadline_s: float = Field(60.0, gt=0)
    """an object that takes longer, retries included, fails as timeout; row groups of embedded images get more"""
    attempts: int = Field(5, ge=1, le=100)
    """maximum number of attempts per object; only transient errors are retried"""
    attempts_over_runs: int = Field(25, ge=1)
    """an image that transient errors have failed in this many attempts, counted over runs, is retried with --retry only"""
    backoff_s: float = Field(0.2, ge=0)
    """mean wait before the first retry; doubles with each further one, with jitter"""
    max_backoff_s: float = Field(10.0, ge=0)
    """maximum wait between two attempts"""
    allowed_roots: tuple[str, ...] = ()
    """folders or URL prefixes from which images may be read; empty: anywhere in s3, gs and az, and see local_images"""

    local_images: bool | None = None
    """read images on the disks of the cluster without allowed_roots; unset: only if the lake is on one, too"""

    @field_validator("allowed_roots", mode="before")
    @classmethod
    def _one_root_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("allowed_roots")
    @classmethod
    def _check_roots(cls, roots: tuple[str, ...]) -> tuple[str, ...]:
        for root in roots:
            if not ROOT.fullmatch(root):
                raise ValueError(
                    f"{root!r} is neither a URL such as s3://bucket/prefix nor an absolute path, so no image could be below it; "
                    "correct it"
                )
        return roots

    @model_validator(mode="after")
    def _check(self) -> "FetchSettings":
        if self.max_backoff_s < self.backoff_s:
            raise ValueError(
                f"max_backoff_s {self.max_backoff_s} is under backoff_s {self.backoff_s}; raise the first or lower the second"
            )
        return self


class DecodeSettings(Section):
    """How bytes become pixels."""

    max_pixels: int = Field(178_956_970, ge=1)
    """images with more pixels fail as too_many_pixels before they are decoded"""
    short_side_px: int = Field(512, ge=1)
    """images with a longer short side are shrunk to it"""
    bounded_pixels: int = Field(4_000_000, ge=1)
    """after that, images with more pixels are shrunk to this number"""


class IndexSettings(Section):
    """When an index of a source is refused."""

    max_gone_fraction: float = Field(0.2, ge=0, le=1)
    """write no index without --accept-gone if a larger fraction of at least 100 images would be gone from it; 1: never refuse"""
