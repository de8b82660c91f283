"""What is wrong with a store or with the access to it, and so with no object in it."""

import errno
import re
from dataclasses import dataclass
from typing import Literal

FaultName = Literal["credentials", "key", "clock", "account", "region", "away", "denied", "bucket", "folder"]

CODES: tuple[tuple[FaultName, re.Pattern[str]], ...] = (
    ("clock", re.compile(r"Skewed|InTheFuture|NotYetValid")),
    ("credentials", re.compile(r"Expired|(Invalid|Security)Token|TokenRefresh|InvalidSecurity|Authentication(Fail|Info)")),
    ("key", re.compile(r"Signature|AccessKeyId|ClientToken|UnrecognizedClient")),
    ("account", re.compile(r"AccountProblem|AccountIsDisabled|AllAccessDisabled|Payer|SignedUp|OptIn|UserSuspended")),
    ("region", re.compile(r"AuthorizationHeaderMalformed|Redirect|LocationConstraint|IncorrectEndpoint")),
    ("bucket", re.compile(r"NoSuchBucket|ContainerNotFound")),
)  # fmt: skip
"""How the codes of S3, Ceph, Azure and Google name a fault."""
ADVICE: dict[FaultName, str] = {
    "credentials": "the credentials have expired or were revoked; renew them (log in again, or write new ones into the "
    "variables or the file that they come from)",
    "key": "the key is unknown or its secret is wrong; check the variables or the file that they come from, and that the "
    "endpoint is the one that they are for",
    "clock": "the clock of this machine and that of the store differ; set the clock (by NTP)",
    "account": "the account may not use the store; check its subscription and its bills",
    "region": "the store refers to another endpoint; check the URL and the variables that name the endpoint",
    "away": "check that the store runs, the variables that name its endpoint, and the network",
    "denied": "check the credentials and what their user may do there",
    "bucket": "there is no such bucket; create it, or correct the URL or the endpoint",
    "folder": "its disk may not be mounted on this machine; mount it, or index again if the images are gone for good",
}
"""What the fault is, and what to do about it, at any store."""
S3_ADVICE: dict[FaultName, str] = {
    "key": "the access key is unknown or its secret is wrong; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the profile, "
    "and that the endpoint is the one that they are for",
    "region": "the bucket is in another region; set storage.region (for images: source.region) or AWS_REGION to that region",
    "away": "check that the store runs, its endpoint (storage.endpoint_url, for images source.endpoint_url, or "
    "AWS_ENDPOINT_URL), and the network",
}
PAYS = (
    "where the reader of an S3 bucket pays (requester pays), set storage.requester_pays = true (for images: "
    "source.requester_pays)"
)
WEB_ADVICE: dict[FaultName, str] = {
    "away": "check the server's name in the URL, that the server runs, and the network",
    "denied": "check the URL; images behind a login are not read",
    "credentials": "the URL's signature has expired or is wrong; index the images by new URLs",
    "key": "the URL's signature is wrong; index the images by new URLs",
}
DISK_ADVICE: dict[FaultName, str] = {
    "away": "check that the disk is mounted and in order, and if it is reached through a network, its server and the network",
}
ADVICE_BY_SCHEME = {"s3": S3_ADVICE, "http": WEB_ADVICE, "https": WEB_ADVICE, "file": DISK_ADVICE}
"""What differs by the scheme of the store's URLs."""
AWAY = re.compile(
    r"EndpointConnectionError|ConnectTimeout|ConnectionClosed|ProxyConnection|ReadTimeout|ResponseStreaming|IncompleteRead"
    r"|SSLError|SSL validation|certificate|Connection refused|Connection reset|dns error|tcp connect|error sending request"
    r"|kind: (Connect|Timeout|Interrupted|Request|Decode|Body)|FSTimeoutError|ResponseParserError|HTTPClientError"
    r"|ClientPayloadError|ServerDisconnected|operation timed out"
)
"""How clients word that no answer came; in the names and texts of errors without URLs."""
AWAY_ERRNOS = (
    errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH,
    errno.ETIMEDOUT, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ENODEV, errno.EREMOTEIO,
)  # fmt: skip
"""Of disks that are reached through a network, such as NFS, SMB and FUSE."""


@dataclass(frozen=True)
class StoreFault:
    """A fault of the store or of the access to it; ``name`` tells which."""

    name: FaultName

    def advise(self, scheme: str) -> str:
        """What the fault is, and what to do about it at a store with URLs of this scheme."""
        return ADVICE_BY_SCHEME.get(scheme, {}).get(self.name) or ADVICE[self.name]

    @property
    def is_certain(self) -> bool:
        """Whether the answer names a fault of the store, and not one that a single object may have as well."""
        return self.name not in ("away", "denied", "bucket", "folder")

    @property
    def is_of_credentials(self) -> bool:
        """Whether other credentials may end it."""
        return self.name in ("credentials", "key", "account", "denied")

    @property
    def may_pass(self) -> bool:
        """Whether the fault may end by itself, even if the credentials stay the same."""
        return self.name in ("away", "clock")


def fault_of_answer(code: str | None, status: int | None) -> StoreFault | None:
    """The fault that a store's own code and the HTTP status are a sign of, if any."""
    for name, pattern in CODES:
        if code and pattern.search(code):
            return StoreFault(name)
    if status in (301, 307):
        return StoreFault("region")
    if status == 400 and code in (
        None,
        "400",
    ):  # the answer to HEAD has no code; S3 answers so to an expired token
        return StoreFault("credentials")
    if status in (401, 403, 407):
        return StoreFault("denied")
    if status is not None and (status in (408, 429) or status >= 500) and status != 501:
        return StoreFault("away")
    return None
