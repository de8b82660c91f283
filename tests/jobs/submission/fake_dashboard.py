"""A dashboard that says its version, takes jobs, and tells the log of one as a script says."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, web

from tests.jobs.submission.fake_job import Drop, End, FakeJob, Outage, Refuse, details


@dataclass
class FakeDashboard:
    """What it answers, and all that it was sent."""

    ray_version: str
    url: str = ""
    version_answer: tuple[int, str] | None = None
    """Status and body that answer /api/version instead of the version."""
    knows: bool = False
    """Whether it has every package already."""
    stops: bool = True
    """Whether a job that is to be stopped still runs."""
    job: FakeJob = field(default_factory=FakeJob)
    listed: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """``METHOD path`` and headers of every request, as text."""
    received: dict[str, bytes] = field(default_factory=dict)
    """The last body by ``METHOD path``, of those that had one."""

    @property
    def everything(self) -> bytes:
        """All that was sent to it."""
        return b"\n".join([*self.received.values(), *(f"{a} {b}".encode() for a, b in self.requests)])

    @property
    def submitted(self) -> dict[str, Any]:
        """The job that was submitted."""
        loaded: dict[str, Any] = json.loads(self.received["POST /api/jobs/"])
        return loaded

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Keep the request and answer it."""
        asked = f"{request.method} {request.path}"
        self.requests.append((asked, str(dict(request.headers))))
        if body := await request.read():
            self.received[asked] = body
        if time.monotonic() < self.job.out_until:
            if self.job.out_status is None and request.transport is not None:
                request.transport.abort()
            return web.Response(status=self.job.out_status or 500, text="out")
        if asked == "GET /api/version":
            version = {"version": "4", "ray_version": self.ray_version, "ray_commit": "", "session_name": ""}
            status, text = self.version_answer or (200, json.dumps(version))
            return web.Response(status=status, text=text, content_type="application/json")
        if asked == "POST /api/jobs/":
            return web.json_response({"submission_id": self.submitted["submission_id"], "job_id": "1"})
        if asked == "GET /api/jobs/":
            return web.json_response(self.listed)
        if request.path.endswith("/stop"):
            return web.json_response({"stopped": self.stops})
        if request.path.endswith("/logs/tail"):
            return await self._tail(request)
        if request.path.endswith("/logs"):
            return web.json_response({"logs": self.job.log})
        if request.path.startswith("/api/jobs/"):
            return self._details()
        return web.Response(status=200 if request.method == "PUT" or self.knows else 404, text="{}")

    def _details(self) -> web.Response:
        job = self.job
        job.asked += 1
        if job.ends_when_asked and job.asked > job.ends_when_asked:
            job.status, job.code = "SUCCEEDED", 0
        return web.json_response(details("job-1", status=job.status, driver_exit_code=job.code))

    async def _tail(self, request: web.Request) -> web.StreamResponse:
        job = self.job
        steps = job.tails[min(job.connections, len(job.tails) - 1)]
        job.connections += 1
        if isinstance(steps[0], Refuse):
            return web.Response(status=steps[0].status)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for step in steps:
            if isinstance(step, str):
                await socket.send_str(step)
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, End):
                job.status, job.code = step.status, step.code
            elif isinstance(step, Outage | Drop):
                if isinstance(step, Outage):
                    job.out_until, job.out_status = time.monotonic() + step.seconds, step.status
                if job.out_status is None and request.transport is not None:
                    request.transport.abort()
        await socket.close(code=WSCloseCode.OK)
        return socket


@contextmanager
def serve_dashboard(ray_version: str) -> Iterator[FakeDashboard]:
    """A dashboard on loopback that claims to run this Ray."""
    dashboard = FakeDashboard(ray_version)
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application(client_max_size=2**28)
        app.router.add_route("*", "/{path:.*}", dashboard.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        dashboard.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield dashboard
    finally:
        asyncio.run_coroutine_threadsafe(_stop(runner), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(runner: web.AppRunner) -> None:
    """Nothing is served any more, and no script goes on."""
    await runner.cleanup()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
