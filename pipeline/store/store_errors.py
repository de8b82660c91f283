"""What a store answered, in a sentence that names the URL and the fix."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from laketag.pipeline.errors import AccessError, LaketagError, StorageError
from laketag.pipeline.store.s3_access import no_credentials

CLIENT_LIBRARIES = ("botocore", "aiobotocore", "s3fs", "obstore", "aiohttp")
NO_CREDENTIALS = re.compile(
    r"NoCredentials|PartialCredentials|CredentialRetrieval|TokenRetrieval|SSOToken|ProfileNotFound"
)
UNREACHABLE = re.compile(
    r"EndpointConnectionError|ConnectTimeoutError|ConnectionClosedError|ProxyConnectionError"
    r"|Connection refused|dns error|tcp connect|error sending request"
)
OBSTORE_STATUS = {
    "NotFoundError": 404,
    "PermissionDeniedError": 403,
    "UnauthenticatedError": 401,
    "PreconditionError": 412,
}
"""What obstore's own exceptions mean, by name (obstore.exceptions)."""
STATUS = re.compile(r"Server returned non-2xx status code: (\d{3})\b")
"""How object_store, which lies under obstore and polars, words a status."""


@contextmanager
def store_errors(url: str) -> Iterator[None]:
    """Whatever the store refuses inside becomes a StorageError about the URL; other mistakes pass."""
    try:
        yield
    except LaketagError:
        raise
    except Exception as error:  # libraries have no common root; what is no store's passes
        if (translated := translate(url, error)) is None:
            raise
        raise translated from error


def translate(url: str, error: BaseException) -> StorageError | None:
    """The StorageError that says what went wrong with the URL, or None if the error is not a store's."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"{url}: no space is left there; make room and run the same command again")
    if url.startswith("s3://"):
        return _translate_s3(url, error)
    if isinstance(error, PermissionError):
        return StorageError(
            f"{url}: this user may not do that there; change the rights of the file or folder"
        )
    if isinstance(error, FileNotFoundError):
        return StorageError(f"{url}: does not exist; correct the path, or write it first")
    if isinstance(error, OSError):
        return StorageError(
            f"{url}: {error.strerror or error}; mend the disk or the path and run the same command again"
        )
    return None


def answer(error: BaseException) -> tuple[str | None, int | None]:
    """The S3 error code and HTTP status that the error, or what caused it, carries."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        if isinstance(response, dict) and "Error" in response:
            return response["Error"].get("Code"), response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        seen = seen.__cause__
    text = words(error)  # polars and obstore have nothing else
    code = re.search(r"<Code>(\w+)</Code>", text)
    status = STATUS.search(text)
    known = OBSTORE_STATUS.get(type(error).__name__)
    return code and code[1], known or (int(status[1]) if status else None)


def words(error: BaseException) -> str:
    """What the error says, without the URLs in it: a key may hold any word or number."""
    return re.sub(r"\(path: s3://.*\)|\w+://[^\s\"<>]+", "", str(error))  # polars puts the first at the end


def without_secrets(text: str, limit: int = 300) -> str:
    """One line of what a library said, cut to the limit, without credentials that a URL or header carries."""
    text = " ".join(text.split())
    text = re.sub(r"(https?://)[^/\s@]+@", r"\1", text)
    text = re.sub(
        r"(?i)((?:signature|credential|security-token|accesskeyid)\W{1,3})[\w/+%=.-]+", r"\1…", text
    )
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _translate_s3(url: str, error: BaseException) -> StorageError | None:
    code, status = answer(error)
    name, text, searched = type(error).__name__, str(error), words(error)
    bucket = f"s3://{urlsplit(url).netloc}"
    if code == "NoSuchBucket" or "The specified bucket does not exist" in searched:
        return StorageError(
            f"{url}: there is no bucket {bucket}; create it, or correct the URL or the endpoint"
        )
    if NO_CREDENTIALS.search(name):
        return no_credentials(url, without_secrets(text))
    if isinstance(error, PermissionError) or status in (401, 403):
        said = code or "AccessDenied"
        return AccessError(
            f"{url}: the store denies access ({said}); check the credentials and what their user may do there"
        )
    if isinstance(error, FileNotFoundError) or status == 404:
        return StorageError(f"{url}: does not exist; correct the path, or write it first")
    if status in (301, 307) or code == "AuthorizationHeaderMalformed":
        return StorageError(
            f"{url}: {bucket} lies in another region; set storage.region or AWS_REGION to that one"
        )
    if UNREACHABLE.search(name) or UNREACHABLE.search(searched):
        return StorageError(
            f"{url}: the store cannot be reached ({without_secrets(text)}); "
            "check storage.endpoint_url or AWS_ENDPOINT_URL, and the network"
        )
    if (
        status is None
        and not isinstance(error, OSError)
        and type(error).__module__.split(".")[0] not in CLIENT_LIBRARIES
    ):
        return None
    return StorageError(
        f"{url}: the store failed with {name}: {without_secrets(text)}; "
        "try again, or look into the store's own log"
    )
