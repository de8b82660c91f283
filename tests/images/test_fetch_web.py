"""Images on web servers are read below the allowed roots, and nowhere else, wherever a server redirects to."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.fetch_web import PublicResolver
from laketag.pipeline.images.image_failure import ImageFailure
from tests.images.reading import Read, read, with_settings
from tests.stores.store import Store

NOWHERE = Store("none", "", StorageSettings(max_outage_s=0.0))
PAGES = {
    "/in/x.jpg": (200, {"ETag": 'W/"1"'}, b"picture"),
    "/in/x.jpg?size=2&a=%2F": (200, {}, b"sized"),
    "/in/%C3%A9+%20.jpg": (200, {}, b"odd"),
    "/in/%C3%A9%20b.jpg": (200, {}, b"escaped"),
    "/in/empty.jpg": (200, {}, b""),
    "/in/gone.jpg": (410, {}, b""),
    "/in/private.jpg": (403, {}, b""),
    "/in/busy.jpg": (503, {}, b""),
    "/in/short.jpg": (200, {"Content-Length": "30"}, b"cut"),
    "/in/endless.jpg": (200, {"Transfer-Encoding": "chunked"}, b"4\r\naaaa\r\n" * 100),
    "/in/near.jpg": (302, {"Location": "x.jpg"}, b""),
    "/in/out.jpg": (302, {"Location": "/out/x.jpg"}, b""),
    "/in/climb.jpg": (307, {"Location": "/in/../out/x.jpg"}, b""),
    "/in/file.jpg": (301, {"Location": "file:///etc/passwd"}, b""),
    "/in/loop.jpg": (308, {"Location": "loop.jpg"}, b""),
    "/in/never.jpg": (200, {}, b""),
    "/out/x.jpg": (200, {}, b"secret"),
}


LATER = threading.Event()


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[str] = []  # noqa: RUF012  # of all servers

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/in/never.jpg":
            LATER.wait(60)
        status, headers, body = PAGES.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in (
            {} if "Transfer-Encoding" in headers else {"Content-Length": str(len(body))} | headers
        ).items():
            self.send_header(name, value)
        if "Transfer-Encoding" in headers:
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        LATER.set()
        running.shutdown()
        thread.join()


def read_pages(server: str, *paths: str, **settings: object) -> list[Read]:
    below = with_settings(**{"allowed_roots": (f"{server}/in",), "attempts": 2, **settings})
    return read(NOWHERE, *((f"{server}{path}", "unknown") for path in paths), settings=below)


def test_pages_below_an_allowed_root_are_read_as_their_urls_are_written(server: str) -> None:
    images = read_pages(
        server, "/in/x.jpg", "/in/x.jpg?size=2&a=%2F", "/in/%C3%A9+%20.jpg", "/in/near.jpg", "/in/é b.jpg"
    )
    assert [image.data for image in images] == [b"picture", b"sized", b"odd", b"picture", b"escaped"]


@pytest.mark.parametrize(
    ("page", "reason", "attempts"),
    [
        ("missing.jpg", "not_found", 1),
        ("gone.jpg", "not_found", 1),
        ("private.jpg", "forbidden", 1),
        ("empty.jpg", "empty", 1),
        ("busy.jpg", "throttled", 2),
        ("short.jpg", "store_error", 2),
        ("endless.jpg", "too_large", 1),
        ("loop.jpg", "store_error", 1),
        ("out.jpg", "outside_policy", 1),
        ("climb.jpg", "outside_policy", 1),
        ("file.jpg", "outside_policy", 1),
    ],
)
def test_pages_fail_for_the_reasons_of_other_stores(
    server: str, page: str, reason: str, attempts: int
) -> None:
    _, image = read_pages(server, "/in/x.jpg", f"/in/{page}", max_bytes=50)
    assert (image.reason, image.attempts) == (reason, attempts), image.detail


def test_a_page_that_never_comes_times_out_while_the_others_come(server: str) -> None:
    never, image = read_pages(server, "/in/never.jpg", "/in/x.jpg", deadline_s=1.0)
    assert (never.reason, image.data) == ("timeout", b"picture")


def test_a_server_that_denies_a_page_is_not_taken_for_s3(server: str) -> None:
    _, image = read_pages(server, "/in/x.jpg", "/in/private.jpg")
    assert image.detail == "the server answered 403"


def test_another_version_is_changed(server: str) -> None:
    settings = with_settings(allowed_roots=(server,))
    same, other = read(NOWHERE, (f"{server}/in/x.jpg", "1"), (f"{server}/in/x.jpg", "2"), settings=settings)
    assert (same.reason, other.reason) == (None, "changed")


@pytest.mark.parametrize(
    "path",
    [
        *("/out/x.jpg", "/in/../out/x.jpg", "/in/%2e%2e/out/x.jpg", "/inside.jpg", "/in\\..\\out/x.jpg"),
        *("/in/.\t./out/x.jpg", "/in/..\r/out/x.jpg", "/in/%2e\n%2e/out/x.jpg", "/in/.%09./out/x.jpg"),
        "/in/..;a=b/out/x.jpg",
    ],
)
def test_other_pages_are_not_even_asked_for(server: str, path: str) -> None:
    before = len(Pages.asked)
    assert [image.reason for image in read_pages(server, path)] == ["outside_policy"]
    assert len(Pages.asked) == before


def test_without_allowed_roots_and_by_another_name_no_server_is_asked(server: str) -> None:
    before = len(Pages.asked)
    (image,) = read(NOWHERE, (f"{server}/in/x.jpg", "unknown"), settings=FetchSettings())
    assert image.reason == "outside_policy"
    assert "http:// is read only below fetch.allowed_roots, which is empty" in image.detail
    other = server.replace("http://", "http://me@")
    (image,) = read(
        NOWHERE, (f"{other}/in/x.jpg", "unknown"), settings=with_settings(allowed_roots=(f"{server}/in",))
    )
    assert image.reason == "outside_policy"
    assert len(Pages.asked) == before


def test_a_server_that_is_gone_fails_for_a_while_if_others_answer(server: str) -> None:
    settings = with_settings(allowed_roots=("http://127.0.0.1:9", server), attempts=2)
    _, image = read(
        NOWHERE, (f"{server}/in/x.jpg", "unknown"), ("http://127.0.0.1:9/x.jpg", "unknown"), settings=settings
    )
    assert (image.reason, image.attempts) == ("store_error", 2)


class Names(AbstractResolver):
    """Every name has this address."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=self.address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("address", "is_read"),
    [
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:a9fe:a9fe::1", False),
        ("fd00:ec2::254", False),
        ("100.100.100.200", False),
        ("::ffff:168.63.129.16", False),
        ("64:ff9b::a00:1", True),
        ("10.0.0.1", True),
        ("93.184.215.14", True),
    ],
)
def test_a_name_that_means_an_address_of_credentials_is_not_requested(address: str, is_read: bool) -> None:
    resolver = PublicResolver(Names(address))
    if is_read:
        assert asyncio.run(resolver.resolve("images.example", 443))[0]["host"] == address
    else:
        with pytest.raises(ImageFailure, match=r"outside_policy.*credentials"):
            asyncio.run(resolver.resolve("images.example", 443))
