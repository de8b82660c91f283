"""The closed list of reasons why an image has no label."""

from typing import Literal, get_args

PermanentFailure = Literal[
    "not_found",  # the store has no such object
    "forbidden",  # this object is denied while others of its bucket are read
    "empty",  # zero bytes
    "truncated",  # the file ends before the picture does
    "undecodable",  # an image in a supported format, but broken
    "unsupported",  # not an image, or in a format that is not supported
    "too_large",  # more bytes than fetch.max_bytes
    "too_many_pixels",  # more pixels than decode.max_pixels
    "outside_policy",  # the URI is not where images may be read (fetch.allowed_roots)
    "poison",  # killed the worker that decoded it alone
    "not_finite",  # a decoded or computed value is not a finite number
    "archived",  # in a tier of the store from which it must be restored first
]
"""Tried again only when the image's etag changes, with --retry, or when the limit, decoder or roots it depended on change."""

TransientFailure = Literal[
    "throttled",  # the store still asked to slow down at the last attempt
    "timeout",  # not read within fetch.deadline_s
    "store_error",  # any other temporary error of the store
    "changed",  # the object is no longer the version that was indexed
]
"""Tried again by the next run, up to a number of attempts over runs."""

Failure = Literal[PermanentFailure, TransientFailure]

PERMANENT_FAILURES: tuple[str, ...] = get_args(PermanentFailure)
TRANSIENT_FAILURES: tuple[str, ...] = get_args(TransientFailure)
FAILURES = PERMANENT_FAILURES + TRANSIENT_FAILURES
