"""A proxy before an S3 server that breaks answers by rule.

Host, path and query are passed on byte for byte, so signatures stay valid.
"""

import asyncio
import contextlib
import io
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
from aiohttp import web
from yarl import URL

from tests.stores.bends import Bend, Headers

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "expect"}
NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
CODES = {503: "SlowDown", 429: "TooManyRequests", 500: "InternalError", 403: "AccessDenied", 404: "NoSuchKey"}


@dataclass
class Fault:
    """What happens to the requests whose method and path match, ``times`` times (None: always)."""

    action: Literal["status", "reset", "drop_ack", "truncate", "stall", "slow", "hold", "drip"]
    path: str = ""
    method: str = ""
    times: int | None = None
    status: int = 503
    code: str = ""
    retry_after_s: float | None = None
    delay_s: float = 60.0
    sent_bytes: int = 100
    hits: int = 0
    over: bool = False
    """Requests that are held or stalled go on once it is set, and later ones at once."""

    def matches(self, request: web.Request) -> bool:
        """Whether the fault is for this request and not used up."""
        return (
            (self.times is None or self.hits < self.times)
            and self.method in ("", request.method)
            and re.search(self.path, request.raw_path.partition("?")[0]) is not None
        )


@dataclass
class FaultProxy:
    """The proxy's URL, its faults, and how often each path was asked for, by (method, raw path)."""

    upstream: str
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    bend: Bend = field(default_factory=Bend)
    """How the store differs, in all its answers."""

    def add(self, fault: Fault) -> Fault:
        """The fault holds from now on, before older ones."""
        self.faults.insert(0, fault)
        return fault

    def count(self, key: str, method: str = "GET") -> int:
        """How many requests of the method asked for a path that ends so."""
        return sum(n for (asked, path), n in self.requests.items() if asked == method and path.endswith(key))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The store's answer, or what a fault makes of it."""
        self.requests[request.method, request.raw_path.partition("?")[0]] += 1
        fault = next((fault for fault in self.faults if fault.matches(request)), None)
        if fault is not None:
            fault.hits += 1
        if fault is not None and fault.action == "status":
            await request.read()
            return _error(fault, request)
        if fault is not None and fault.action == "reset":
            await request.read()
            return _reset(request)
        if fault is not None and fault.action == "slow":
            await asyncio.sleep(fault.delay_s)
        while fault is not None and fault.action == "hold" and not fault.over:
            await asyncio.sleep(0.1)
        if refusal := self.bend.refusal(request.method, request.headers):
            await request.read()
            status, code, extra = refusal
            return _error(Fault("status", status=status, code=code), request, extra)
        return await self._pass_on(request, fault)

    async def _pass_on(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        body = io.BytesIO(await request.read()) if request.can_read_body else None
        path = self.bend.asked(request.raw_path, request.headers)
        url = URL(self.upstream + path, encoded=True)
        session = aiohttp.ClientSession(
            auto_decompress=False,
            skip_auto_headers=NOT_ADDED,
            connector=aiohttp.TCPConnector(force_close=True),
        )
        async with session, session.request(request.method, url, headers=headers, data=body) as answer:
            content = await answer.read()
        found = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP]
        bent, content = self.bend.answered(found, content)
        if fault is not None and fault.action == "drop_ack":
            return _reset(request)
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        changed = len(content) != int(answer.headers.get("Content-Length", 0)) and request.method != "HEAD"
        for name, value in bent:
            if not changed or name.lower() != "content-length":
                response.headers.add(name, value)
        await response.prepare(request)
        if fault is not None and fault.action in ("truncate", "stall"):
            await response.write(content[: fault.sent_bytes])
            while fault.action == "stall" and not fault.over:
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.01)
            return _reset(request, response)
        while fault is not None and fault.action == "drip" and not fault.over and content:
            await response.write(content[:1])
            content = content[1:]
            await asyncio.sleep(0.1)
        await response.write(content)
        await response.write_eof()
        return response


@contextmanager
def serve_faults(upstream: str) -> Iterator[FaultProxy]:
    """A proxy before the upstream URL, without faults at first, in a thread of this process."""
    proxy = FaultProxy(upstream)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fault proxy", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_start(proxy), loop).result(30)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _start(proxy: FaultProxy) -> web.AppRunner:
    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{path:.*}", proxy.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner


async def _stop(runner: web.AppRunner) -> None:
    await runner.cleanup()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _error(fault: Fault, request: web.Request, extra: Headers | None = None) -> web.Response:
    code = fault.code or CODES.get(fault.status, "InternalError")
    headers = {"Content-Type": "application/xml", **dict(extra or [])}
    if fault.retry_after_s is not None:
        headers["Retry-After"] = f"{fault.retry_after_s:g}"
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>injected</Message></Error>'
    )
    return web.Response(
        status=fault.status, headers=headers, body=b"" if request.method == "HEAD" else xml.encode()
    )


def _reset(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    """The connection is torn with RST, whatever was sent on it."""
    if (transport := request.transport) is not None:
        connection = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return response or web.Response()
