"""The closed list of reasons why an image has no label."""

from typing import Literal, get_args

PermanentFailure = Literal[
    "not_found",  # the store has no such object
    "forbidden",  # the credentials may not read it
    "empty",  # zero bytes
    "truncated",  # the file ends before the picture does
    "undecodable",  # an image format that we read, but broken
    "unsupported",  # not an image in a format that we read
    "too_large",  # more bytes than fetch.max_bytes
    "too_many_pixels",  # more pixels than decode.max_pixels
    "outside_policy",  # the URI lies outside fetch.allowed_roots
    "poison",  # killed its worker, alone
]
"""Tried again only when the image's etag changes, or when asked for."""

TransientFailure = Literal[
    "throttled",  # the store asked to slow down until the tries ran out
    "timeout",  # not read within fetch.deadline_s
    "store_error",  # any other answer of the store that may pass
    "changed",  # the object is no longer the version that was indexed
]
"""Tried again by the next run."""

Failure = Literal[PermanentFailure, TransientFailure]

PERMANENT_FAILURES: tuple[str, ...] = get_args(PermanentFailure)
TRANSIENT_FAILURES: tuple[str, ...] = get_args(TransientFailure)
FAILURES = PERMANENT_FAILURES + TRANSIENT_FAILURES
