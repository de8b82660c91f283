"""Maps errors of client libraries and disks to failures of images (laketag.schemas.failures)."""

import re

from laketag.pipeline.images.image_failure import ImageFailure, PassingFailure
from laketag.pipeline.store.errors import read_answer, without_secrets, without_urls
from laketag.pipeline.store.versions import ChangedError

THROTTLED = re.compile(
    r"SlowDown|Throttl|TooManyRequests|RequestLimitExceeded|Busy|ServiceUnavailable|Reduce"
)
FORBIDDEN = re.compile(
    r"AccessDenied|Expired|InvalidToken|InvalidAccessKey|Signature|TokenRefresh|Skewed|Forbidden|Credential"
)
TIMED_OUT = re.compile(r"kind: Timeout|TimedOut|ReadTimeout|ConnectTimeout|RequestTimeout")
PASSING = re.compile(
    r"kind: (Connect|Interrupted|Request|Decode|Body)|ConnectionClosed|EndpointConnection|IncompleteRead|Connection"
)


def explain(error: Exception) -> ImageFailure:
    """The failure behind an error of a client or the disk; a PassingFailure where a retry may help."""
    if isinstance(error, ImageFailure):
        return error
    if isinstance(error, ChangedError):
        return ImageFailure("changed", str(error))
    code, status = read_answer(error)
    answered = " ".join(str(part) for part in (status, code) if part)
    detail = f"the store answered {answered}" if answered else _first_line(error)
    if isinstance(error, FileNotFoundError) or status == 404:
        return ImageFailure("not_found", detail)
    if isinstance(error, NotADirectoryError | IsADirectoryError):
        return ImageFailure("not_found", "there is no such file")
    if status == 412:
        return ImageFailure("changed", "the object is not the version that was indexed")
    if isinstance(error, PermissionError) or status in (401, 403):
        return ImageFailure("forbidden", detail)
    if status == 400 and code and FORBIDDEN.search(code):
        return ImageFailure("forbidden", detail)
    if status in (429, 503) or (code and THROTTLED.search(code)):
        return PassingFailure("throttled", detail)
    searched = f"{type(error).__name__} {without_urls(str(error))}"
    if isinstance(error, TimeoutError) or status == 408 or TIMED_OUT.search(searched):
        return PassingFailure("timeout", "no complete answer in time")
    if (status is not None and status >= 500) or PASSING.search(searched):
        return PassingFailure("store_error", detail)
    return ImageFailure("store_error", detail)


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return without_secrets(str(error).partition("\n")[0] or type(error).__name__)
