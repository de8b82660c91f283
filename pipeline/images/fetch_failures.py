"""Why an image was not read: each of a library's errors under its name in schemas.failures."""

import re

from laketag.pipeline.store.errors import read_answer, without_secrets, without_urls

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


class FetchError(Exception):
    """An image was not read: ``reason`` is one of schemas.failures; a transient one is worth another try."""

    def __init__(self, reason: str, detail: str, *, transient: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.transient = transient


def explain(error: Exception) -> FetchError:
    """The reason, detail and hope that lie in an error of the store's client or of the disk."""
    if isinstance(error, FetchError):
        return error
    code, status = read_answer(error)
    said = (
        f"the store answered {status or ''} {code or ''}".rstrip() if status or code else _first_line(error)
    )
    if isinstance(error, FileNotFoundError) or status == 404:
        return FetchError("not_found", said)
    if isinstance(error, NotADirectoryError | IsADirectoryError):
        return FetchError("not_found", "there is no such file")
    if status == 412:
        return FetchError("changed", "the object is not the version that was indexed")
    if isinstance(error, PermissionError) or status in (401, 403):
        return FetchError("forbidden", said)
    if status == 400 and code and FORBIDDEN.search(code):
        return FetchError("forbidden", said)
    if status in (429, 503) or (code and THROTTLED.search(code)):
        return FetchError("throttled", said, transient=True)
    searched = f"{type(error).__name__} {without_urls(str(error))}"
    if isinstance(error, TimeoutError) or status == 408 or TIMED_OUT.search(searched):
        return FetchError("timeout", "no complete answer in time", transient=True)
    transient = (status is not None and status >= 500) or bool(PASSING.search(searched))
    return FetchError("store_error", said, transient=transient)


def _first_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return without_secrets(str(error).partition("\n")[0] or type(error).__name__)
