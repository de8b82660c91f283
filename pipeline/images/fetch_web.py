"""Reading one image from a web server, below the allowed roots only, wherever it redirects to."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote, urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from laketag.pipeline.config import FetchSettings
from laketag.pipeline.images.fetch_failures import explain_status
from laketag.pipeline.images.fetch_files import check_size
from laketag.pipeline.images.image_failure import ImageFailure, PassingFailure
from laketag.pipeline.images.image_locations import locate
from laketag.pipeline.images.image_reading import ImageReading
from laketag.pipeline.store.errors import without_secrets
from laketag.pipeline.store.versions import Version, version_of_etag

REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5
URL_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"
"""Sent as they are; spaces and letters beyond ASCII are escaped, as browsers do."""
CREDENTIALS = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")))
"""Where AWS (by IPv6), Alibaba and Azure answer their machines, beside the link-local addresses."""
NAT64 = IPv6Network("64:ff9b::/96")
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "laketag"}


def open_session(settings: FetchSettings) -> aiohttp.ClientSession:
    """A session for the running event loop, which honours the variables of proxies; without cookies."""
    return aiohttp.ClientSession(
        trust_env=True,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=HEADERS,
        timeout=aiohttp.ClientTimeout(total=settings.deadline_s),
        connector=aiohttp.TCPConnector(
            limit=settings.concurrency, resolver=PublicResolver(ThreadedResolver())
        ),
    )


class PublicResolver(AbstractResolver):
    """Resolves the names of hosts, except to addresses at which clouds give credentials to their machines.

    The connection goes to the addresses that were checked, whatever the name means a moment later.
    """

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The host's addresses; an ImageFailure if a cloud may give credentials at one of them."""
        found = await self._inner.resolve(host, port, family)
        for result in found:
            address = _unwrap(ip_address(result["host"].partition("%")[0]))
            if address.is_link_local or address.is_unspecified or address in CREDENTIALS:
                raise ImageFailure(
                    "outside_policy",
                    f"{host} means {address}, where a cloud may give credentials; give its own URL if it is meant",
                )
        return found

    async def close(self) -> None:
        """The inner resolver is closed."""
        await self._inner.close()


def _unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that is reached through this one, if any (mapped, 6to4, NAT64)."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) % 2**32)
    return address.ipv4_mapped or address.sixtofour or address


async def read_page(
    session: aiohttp.ClientSession, uri: str, version: Version, reading: ImageReading
) -> bytes:
    """The bytes that the server gives for the URI; an ImageFailure if they are none or too many, or elsewhere."""
    try:
        for _ in range(MOST_REDIRECTS + 1):
            locate(uri, reading.settings.allowed_roots)  # refuses what is outside
            url = URL(quote(uri, safe=URL_CHARACTERS), encoded=True)
            async with session.get(url, allow_redirects=False) as answer:
                if answer.status not in REDIRECTS:
                    return await _read_body(answer, version, reading)
                uri = urljoin(uri, answer.headers.get("Location", ""))
    except (aiohttp.InvalidURL, ValueError) as error:
        raise ImageFailure("outside_policy", f"no URL of a page: {error}") from None
    except aiohttp.ClientError as error:
        raise PassingFailure("store_error", without_secrets(str(error) or type(error).__name__)) from None
    raise ImageFailure("store_error", f"more than {MOST_REDIRECTS} redirects")


async def _read_body(answer: aiohttp.ClientResponse, version: Version, reading: ImageReading) -> bytes:
    if answer.status != 200:
        raise explain_status(answer.status, "", f"the server answered {answer.status}")
    max_bytes = reading.settings.max_bytes
    version.check(version_of_etag(answer.headers.get("ETag")))
    expected = answer.content_length
    if expected is not None:
        check_size(expected, max_bytes)
    data = bytearray()
    with reading.budget.hold(expected or 0):
        async for chunk in answer.content.iter_any():
            data += chunk
            if len(data) > max_bytes:
                break
        check_size(len(data), max_bytes)
    if expected is None:
        reading.budget.add(len(data))
    return bytes(data)
