"""How some stores differ from AWS S3, as changes of what a server on this machine answers."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote, urlencode

Headers = list[tuple[str, str]]


class Bend:
    """A store that differs in nothing."""

    def refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str, Headers] | None:
        """Status, code and headers of an answer that the server is not asked for."""

    def asked(self, path: str, headers: Mapping[str, str]) -> str:
        """The raw path and query that the server is asked for."""
        return path

    def answered(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        """Headers and body of the answer, given those of the server."""
        return headers, body


class WithoutEtags(Bend):
    """No ETags, neither in headers nor in listings."""

    def answered(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        kept = [(name, value) for name, value in headers if name.lower() != "etag"]
        return kept, re.sub(rb"<ETag>.*?</ETag>", b"", body)


class EmptyEtags(Bend):
    """Listings with empty ETags."""

    def answered(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        return headers, re.sub(rb"<ETag>.*?</ETag>", b"<ETag></ETag>", body)


class WeakEtags(Bend):
    """Weak ETags in headers, and so no If-Match that holds."""

    def refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str, Headers] | None:
        return (412, "PreconditionFailed", []) if "If-Match" in headers else None

    def answered(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        return [(name, f"W/{value}" if name.lower() == "etag" else value) for name, value in headers], body


class InRegion(Bend):
    """The bucket is in another region, for requests that are signed for it alone."""

    def __init__(self, region: str) -> None:
        self.region = region

    def refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str, Headers] | None:
        signed = headers.get("Authorization", "")
        if f"/{self.region}/" in signed:
            return None
        return 301, "PermanentRedirect", [("x-amz-bucket-region", self.region)]


class RequesterPays(Bend):
    """Whoever reads pays, and says so."""

    def refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str, Headers] | None:
        reads = method in ("GET", "HEAD")
        return (
            (403, "AccessDenied", []) if reads and headers.get("x-amz-request-payer") != "requester" else None
        )


class Expires(Bend):
    """The token expires once this number of objects was read."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    def refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str, Headers] | None:
        self.reads -= method == "GET"
        return (400, "ExpiredToken", []) if self.reads < 0 else None


class ReadOnly(Bend):
    """The store takes this number of changes, and no further one."""

    def __init__(self, changes: int) -> None:
        self.changes = changes

    def refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str, Headers] | None:
        self.changes -= method in ("PUT", "POST", "DELETE")
        return (403, "AccessDenied", []) if self.changes < 0 else None


class IgnoringStartAfter(Bend):
    """Listings begin at the first key, whatever key is given."""

    def asked(self, path: str, headers: Mapping[str, str]) -> str:
        return _with_query(path, lambda query: query.pop("start-after", None))


class InclusiveStartAfter(Bend):
    """Listings begin with the key that is given, and not after it."""

    def asked(self, path: str, headers: Mapping[str, str]) -> str:
        def before(query: dict[str, str]) -> None:
            if key := query.get("start-after"):
                query["start-after"] = f"{key[:-1]}{chr(ord(key[-1]) - 1)}\U0010ffff"

        return _with_query(path, before)


class InHostName(Bend):
    """The bucket is a part of the host's name, and not of the path."""

    def refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str, Headers] | None:
        return None if headers["Host"].startswith("t-") else (404, "NoSuchBucket", [])

    def asked(self, path: str, headers: Mapping[str, str]) -> str:
        return re.sub(
            "^http://[^/]+", "", path
        )  # a proxy is asked for whole URLs; moto finds the bucket in the header


def _with_query(path: str, change: Callable[[dict[str, str]], object]) -> str:
    path, _, text = path.partition("?")
    query = dict(parse_qsl(text, keep_blank_values=True))
    if "list-type" in query:
        change(query)
        text = urlencode(query, quote_via=quote)
    return f"{path}?{text}" if text else path
