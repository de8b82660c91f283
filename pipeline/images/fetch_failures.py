"""Maps errors of client libraries and disks to failures of images (laketag.schemas.failures)."""

import re

from laketag.pipeline.images.image_failure import ImageFailure, PassingFailure
from laketag.pipeline.store.errors import (
    find_fault,
    no_cloud_credentials,
    read_answer,
    without_secrets,
    without_urls,
)
from laketag.pipeline.store.faults import PAYS, fault_of_answer
from laketag.pipeline.store.versions import ChangedError

THROTTLED = re.compile(
    r"SlowDown|Throttl|TooManyRequests|RequestLimitExceeded|Busy|ServiceUnavailable|Reduce"
)
DENIED = (None, "AccessDenied", "403")
ARCHIVED = ("InvalidObjectState", "BlobArchived")
TIMED_OUT = re.compile(r"kind: Timeout|TimedOut|ReadTimeout|ConnectTimeout|RequestTimeout")
PASSING = re.compile(
    r"kind: (Connect|Interrupted|Request|Decode|Body)|ConnectionClosed|EndpointConnection|IncompleteRead|Connection"
    r"|EOFError|error_temp"  # ftplib's, of a connection that the server closed and of "try later"
)


def explain(error: Exception) -> ImageFailure:
    """The failure behind an error of a client or the disk; a PassingFailure where a retry may help.

    Its ``fault`` tells what may be wrong with the store instead. An AccessError is raised if that could not even be asked.
    """
    if isinstance(error, ImageFailure):
        return error
    failure = _explain(error)
    failure.fault = find_fault(error)
    return failure


def _explain(error: Exception) -> ImageFailure:
    if refused := no_cloud_credentials("gs:// or az://", error):
        raise refused
    if isinstance(error, ChangedError):
        return ImageFailure("changed", str(error))
    code, status = read_answer(error)
    answered = " ".join(str(part) for part in (status, code) if part)
    detail = f"the store answered {answered}" if answered else _first_line(error)
    if isinstance(error, FileNotFoundError):
        return ImageFailure("not_found", detail)
    if isinstance(error, NotADirectoryError | IsADirectoryError):
        return ImageFailure("not_found", "there is no such file")
    if isinstance(error, PermissionError):
        return ImageFailure("forbidden", detail)
    searched = f"{type(error).__name__} {without_urls(str(error))}"
    if status is None and (isinstance(error, TimeoutError) or TIMED_OUT.search(searched)):
        return PassingFailure("timeout", "no complete answer in time")
    if status is None and PASSING.search(searched):
        return PassingFailure("store_error", detail)
    return explain_status(status, code, detail)


def explain_status(status: int | None, code: str | None, detail: str) -> ImageFailure:
    """The failure behind an HTTP status and a store's own code, as far as there are any (None: a store that named none)."""
    failure = _explain_status(status, code, detail)
    failure.fault = fault_of_answer(code, status)
    return failure


def _explain_status(status: int | None, code: str | None, detail: str) -> ImageFailure:
    if code in ARCHIVED:
        return ImageFailure(
            "archived", "in an archive tier of the store; restore it and label with --retry archived"
        )
    if status in (404, 410):
        return ImageFailure("not_found", detail)
    if status == 412:
        return ImageFailure("changed", "the object is not the version that was indexed")
    if status in (401, 403):
        return ImageFailure("forbidden", f"{detail}; {PAYS}" if code in DENIED else detail)
    if status in (429, 503) or (code and THROTTLED.search(code)):
        return PassingFailure("throttled", detail)
    if status == 408 or (code and TIMED_OUT.search(code)):
        return PassingFailure("timeout", "no complete answer in time")
    if status is not None and status >= 500:
        return PassingFailure("store_error", detail)
    return ImageFailure("store_error", detail)


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return without_secrets(str(error).partition("\n")[0] or type(error).__name__)
