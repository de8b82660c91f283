"""Pages for one person on this machine: served on loopback, under a secret in the URL, to pages of that address alone.

Without the secret nobody gets anything: no other user of this machine, and no page of the internet that guesses the port. A page
of another origin that knows it cannot write either, and a name that was made to point at this machine (DNS rebinding) is refused.
"""

import secrets
import socket
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from laketag.pipeline.errors import SettingsError

LOOPBACK = "127.0.0.1"
CLOSING_S = 2
"""How long open requests may take once the server is stopped."""
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every answer that has no other value for them."""


@dataclass(frozen=True)
class LocalServer:
    """A listening socket on loopback, and the secret of its URLs."""

    socket: socket.socket
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"

    def run(self, app: Starlette) -> None:
        """The app answers requests below ``url`` until a signal stops the process, which is raised again afterwards."""
        config = uvicorn.Config(
            guard(app, self),
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=CLOSING_S,
        )
        uvicorn.Server(config).run(sockets=[self.socket])


def open_server(port: int = 0) -> LocalServer:
    """A server that listens already, so that its URL can be printed; port 0 takes a free one. SettingsError if it is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingsError(
            f"--port {port} cannot be listened on ({error}); name another, or leave it out"
        ) from None
    listening.listen()
    return LocalServer(listening)


def guard(app: ASGIApp, server: LocalServer) -> ASGIApp:
    """The app behind the secret: it sees paths without it, and only requests of its own pages."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if reason := _why_refused(scope, server):
            answer: ASGIApp = PlainTextResponse(reason, 403)
        else:
            scope = {**scope, "path": scope["path"].removeprefix(f"/{server.token}")}
            answer = app
        await answer(scope, receive, _with_headers(send))

    return guarded


def _why_refused(scope: Scope, server: LocalServer) -> str | None:
    """Why the request is answered with 403; None if it is not."""
    if scope["type"] != "http":
        return "only HTTP is spoken here"
    headers = Headers(scope=scope)
    hosts = [f"{name}:{server.port}" for name in (LOOPBACK, "localhost")]
    host, origin = headers.get("host", ""), headers.get("origin")
    if host not in hosts:
        return "this server has another name"
    if origin is None and scope["method"] not in ("GET", "HEAD"):
        return "requests that write come from a page of this server"
    if origin is not None and origin != f"http://{host}":
        return "requests come from a page of this server"
    given = scope["path"].split("/")[1].encode()
    if not secrets.compare_digest(given, server.token.encode()):
        return "the URL lacks its secret part; open the one that laketag has printed"
    return None


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            known = {name.decode().lower() for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name not in known]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sent
