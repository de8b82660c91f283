"""Who gets nothing from a page on loopback."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from laketag.pipeline.errors import SettingsError
from laketag.pipeline.pages.local_server import LocalServer, guard, open_server


def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.method} {request.url.path}")


@pytest.fixture
def server() -> Iterator[LocalServer]:
    server = open_server()
    with contextlib.closing(server.socket):
        yield server


@pytest.fixture
def client(server: LocalServer) -> TestClient:
    app = Starlette(routes=[Route("/", answer), Route("/write", answer, methods=["POST"])])
    return TestClient(guard(app, server), base_url=f"http://127.0.0.1:{server.port}")


def test_the_page_is_there_under_its_secret_and_its_answers_are_confined(
    client: TestClient, server: LocalServer
) -> None:
    found = client.get(server.url)
    assert (found.status_code, found.text) == (200, "GET /")
    assert found.headers["content-security-policy"].startswith("default-src 'none'")
    assert found.headers["referrer-policy"] == "no-referrer"
    assert server.token not in repr(server)


@pytest.mark.parametrize("path", ["/", "/write", "/wrong/", "/%00/", "//", "/é/"])
def test_nothing_is_there_without_the_secret(client: TestClient, path: str) -> None:
    for found in (client.get(path), client.post(path)):
        assert found.status_code == 403
        assert "GET" not in found.text


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        "http://localhost:{port}",
        None,
    ],
)
def test_only_pages_of_this_server_write(client: TestClient, server: LocalServer, origin: str | None) -> None:
    headers = {"origin": origin.format(port=server.port)} if origin else {}
    assert client.post(f"{server.url}write", headers=headers).status_code == 403
    own = {"origin": f"http://127.0.0.1:{server.port}"}
    assert client.post(f"{server.url}write", headers=own).text == "POST /write"


def test_a_page_of_another_origin_reads_nothing_either(client: TestClient, server: LocalServer) -> None:
    assert client.get(server.url, headers={"origin": "https://evil.example"}).status_code == 403


def test_a_name_that_was_made_to_point_here_is_refused(client: TestClient, server: LocalServer) -> None:
    host = {"host": f"evil.example:{server.port}"}
    assert client.get(f"/{server.token}/", headers=host).status_code == 403


def test_it_listens_on_loopback_alone_and_a_taken_port_is_refused(server: LocalServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    with pytest.raises(SettingsError, match=f"--port {server.port} cannot be listened on"):
        open_server(server.port)
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))):
        pass
