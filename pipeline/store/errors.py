"""What a store answered, as an error that names the URL and the fix."""

import errno
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from laketag.pipeline.errors import AccessError, LaketagError, StorageError
from laketag.pipeline.store.faults import AWAY, AWAY_ERRNOS, PAYS, StoreFault, fault_of_answer
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.s3_access import no_credentials

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
OBJECT_STORES = ("s3", "gs", "az")
"""Whose clients are known; filesystems of other schemes raise errors of any library."""
CLIENT_LIBRARIES = ("botocore", "aiobotocore", "s3fs", "obstore", "aiohttp", "fsspec")
NO_CREDENTIALS = re.compile(
    r"NoCredentials|PartialCredentials|CredentialRetrieval|TokenRetrieval|SSOToken|ProfileNotFound"
)
NOT_RENEWED = re.compile(r"CredentialRetrieval|TokenRetrieval|SSOToken")
"""How botocore says that a program, a login or a role gives no credentials now."""
NO_TOKEN = re.compile(r"Error performing token request|Account must be specified|(Read|Decode)\w*Credentials")
"""How obstore's clients of Google and Azure say that they found no credentials, or that these give no access token."""
UNNAMEABLE = re.compile(r"Error parsing Path|contained empty path segment")
OBSTORE_STATUS = {"PermissionDeniedError": 403, "UnauthenticatedError": 401, "PreconditionError": 412}
"""The HTTP status behind obstore's own exceptions, by name (obstore.exceptions)."""
STATUS = re.compile(r"Server returned non-2xx status code: (\d{3})\b")
"""How the crate object_store, on which obstore and polars are built, words a status."""


class Answer(NamedTuple):
    """What a store answered to a request that failed, as far as the client's error tells."""

    code: str | None  # S3's error code, such as NoSuchKey
    status: int | None  # the HTTP status


@contextmanager
def store_errors(url: str) -> Iterator[None]:
    """Errors of a store or disk that are raised inside become a StorageError about the URL; all others pass unchanged."""
    try:
        yield
    except LaketagError:
        raise
    except Exception as error:  # the clients' errors have no common root
        if (translated := translate(url, error)) is None:
            raise
        raise translated from error


def translate(url: str, error: BaseException) -> StorageError | None:
    """The StorageError that explains the error and names the URL, or None if it is no error of a store or disk."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return StorageError(
            f"{url}: {describe_full_disk(error, url)}; free space there and run the same command again"
        )
    if not parse_url(url).is_local:
        return _translate_remote(url, error)
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return StorageError(
            f"{url}: its filesystem is mounted read-only; mount it for writing, or name another folder"
        )
    if isinstance(error, PermissionError):
        return StorageError(f"{url}: this user lacks the permission; change the rights of the file or folder")
    if isinstance(error, FileNotFoundError):
        return StorageError(f"{url}: does not exist; correct the path, or write it first")
    if isinstance(error, OSError):
        return StorageError(
            f"{url}: {error.strerror or error}; repair the disk or correct the path, and run the same command again"
        )
    return None


def describe_full_disk(error: OSError, path: str) -> str:
    """Which disk is full, or whose quota is used up: that of the file that the error names, or of the path."""
    named = error.filename if isinstance(error.filename, str) else path
    if not parse_url(named).is_local:
        return f"no space is left on a disk of {platform.node()}"
    disk = next(
        place for place in (Path(named).absolute(), *Path(named).absolute().parents) if place.is_mount()
    )
    what = "this user's quota is used up on" if error.errno == errno.EDQUOT else "no space is left on"
    return f"{what} the disk that is mounted at {disk} on {platform.node()}"


def no_cloud_credentials(url: str, error: BaseException) -> AccessError | None:
    """The error if Google or Azure could not be asked for want of credentials, which is no answer about the URL."""
    if not NO_TOKEN.search(text := str(error)):
        return None
    return AccessError(
        f"{url}: no usable credentials for the store ({without_secrets(text, 150)}); "
        "set GOOGLE_APPLICATION_CREDENTIALS for gs://, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY for az:// "
        "(or another of their usual variables), or read what is public with storage.anonymous = true "
        "(az:// needs the account's name for that, too)"
    )


def read_answer(error: BaseException) -> Answer:
    """The S3 error code and HTTP status in an error, or in the error that caused it."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)  # botocore's ClientError
        if isinstance(response, dict) and "Error" in response:
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return Answer(response["Error"].get("Code"), status)
        seen = seen.__cause__
    text = without_urls(str(error))  # all that polars and obstore give
    code, status_code = re.search(r"<Code>(\w+)</Code>", text), STATUS.search(text)
    status = OBSTORE_STATUS.get(type(error).__name__) or (int(status_code[1]) if status_code else None)
    return Answer(code[1] if code else None, status)


def find_fault(error: BaseException) -> StoreFault | None:
    """The fault of the store or of the access to it that the error of a client or disk is a sign of, if any."""
    code, status = read_answer(error)
    if NOT_RENEWED.search(f"{type(error).__name__} {without_urls(str(error))}"):
        return StoreFault("credentials")
    if fault := fault_of_answer(code, status):
        return fault
    if status is None and "incorrectly configured region" in str(error):  # obstore's word for 301 and 307
        return StoreFault("region")
    if status is None and (
        isinstance(error, TimeoutError | ConnectionError)
        or (isinstance(error, OSError) and error.errno in AWAY_ERRNOS)
        or AWAY.search(f"{type(error).__name__} {without_urls(str(error))}")
    ):
        return StoreFault("away")
    return StoreFault("denied") if isinstance(error, PermissionError) and not error.errno else None


def without_urls(text: str) -> str:
    """The text of an error without the URLs in it, because a key may contain any word or number."""
    return re.sub(r"\(path: \w+://.*\)|\w+://[^\s\"<>]+", "", text)  # polars puts the first one at the end


def without_secrets(text: str, limit: int = 300) -> str:
    """The text of an error on one line, cut to the limit, without credentials of URLs and headers."""
    text = " ".join(text.partition("\n\nDebug source:")[0].split())  # obstore says everything twice
    text = re.sub(r"(\w+://)[^/\s@]+@", r"\1", text)
    text = re.sub(
        r"(?i)((?:signature|credential|security-token|accesskeyid)\W{1,3})[\w/+%=.-]+", r"\1…", text
    )
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _translate_remote(url: str, error: BaseException) -> StorageError | None:
    if refused := no_cloud_credentials(url, error):
        return refused
    code, status = read_answer(error)
    name, text = type(error).__name__, str(error)
    searched = without_urls(text)
    location = parse_url(url)
    is_s3 = location.scheme == "s3"
    bucket = f"{location.scheme}://{location.bucket}"
    if code in ("NoSuchBucket", "ContainerNotFound") or "The specified bucket does not exist" in searched:
        return StorageError(
            f"{url}: there is no bucket {bucket}; create it, or correct the URL or the endpoint"
        )
    if is_s3 and NO_CREDENTIALS.search(name):
        return no_credentials(url, without_secrets(text))
    fault = fault_of_answer(code, status)
    if fault is not None and fault.is_certain and (is_s3 or fault.name != "region"):
        answered = " ".join(str(part) for part in (status, code) if part)
        kind = StorageError if fault.name == "region" else AccessError
        return kind(f"{url}: the store answered {answered}: {fault.advise(location.scheme)}")
    if isinstance(error, PermissionError) or status in (401, 403):
        return AccessError(
            f"{url}: the store denies access ({code or 'AccessDenied'}); "
            f"{StoreFault('denied').advise(location.scheme)}{f'; {PAYS}' if is_s3 else ''}"
        )
    if isinstance(error, FileNotFoundError) or status == 404:
        return StorageError(f"{url}: does not exist; correct the path, or write it first")
    if UNNAMEABLE.search(text):
        return StorageError(
            f"{url}: a key has an empty part, '.', '..' or a control character, which a client of the store cannot name "
            f"({without_secrets(text)}); choose another key, or index a table of the other images' URIs"
        )
    if status is None and AWAY.search(f"{name} {searched}"):
        return StorageError(
            f"{url}: the store cannot be reached ({without_secrets(text)}); {StoreFault('away').advise(location.scheme)}"
        )
    library = type(error).__module__.partition(".")[0]
    is_clients = library in CLIENT_LIBRARIES or (
        location.scheme not in OBJECT_STORES and library != "builtins"
    )
    if status is None and not isinstance(error, OSError) and not is_clients:
        return None
    return StorageError(
        f"{url}: the store failed with {name}: {without_secrets(text)}; try again, or read the store's own log"
    )
