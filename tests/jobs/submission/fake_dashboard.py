"""A Ray dashboard on loopback: it reports its version, accepts jobs, and answers about one job what a test prescribes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NO_ANSWER = 0
"""Instead of a status: the connection is closed."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the dashboard answers to one request for the job's details or its log."""

    log: str = ""
    status: str = "RUNNING"
    code: int | None = None
    http: int = 200
    """The HTTP status, or NO_ANSWER."""


ENDED = Answer(status="SUCCEEDED", code=0)


@dataclass
class FakeDashboard:
    """What it answers, and all that it was sent."""

    ray_version: str
    url: str = ""
    version_answer: tuple[int, str] | None = None
    """Status and body that answer /api/version instead of the version."""
    stops: bool = True
    """Whether a job that is to be stopped is still running."""
    answers: list[Answer] = field(default_factory=lambda: [ENDED])
    """To the requests about the job, in turn; the last one is repeated."""
    listed: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """``METHOD path`` and headers of every request, as text."""
    received: dict[str, bytes] = field(default_factory=dict)
    """The last body by ``METHOD path``, of the requests that had one."""

    @property
    def everything(self) -> bytes:
        """All that was sent to it."""
        return b"\n".join([*self.received.values(), *(f"{a} {b}".encode() for a, b in self.requests)])

    @property
    def submitted(self) -> dict[str, Any]:
        """The job that was submitted."""
        loaded: dict[str, Any] = json.loads(self.received["POST /api/jobs/"])
        return loaded

    def answer(self, request: str) -> tuple[int, Any]:
        """Status and body for ``METHOD path``."""
        method, _, path = request.partition(" ")
        match path.strip("/").split("/")[1:]:
            case ["version"]:
                version = {
                    "version": "4",
                    "ray_version": self.ray_version,
                    "ray_commit": "",
                    "session_name": "",
                }
                return self.version_answer or (200, version)
            case ["jobs"] if method == "POST":
                return 200, {"submission_id": self.submitted["submission_id"], "job_id": "1"}
            case ["jobs"]:
                return 200, self.listed
            case ["jobs", _, "stop"]:
                return 200, {"stopped": self.stops}
            case ["jobs", _, "logs"]:
                answer = self._next_answer()
                return answer.http, {"logs": answer.log}
            case ["jobs", job]:
                answer = self._next_answer()
                return answer.http, details(job, status=answer.status, driver_exit_code=answer.code)
        return (200 if method == "PUT" else 404), {}  # packages: it has none yet

    def _next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def details(job_id: str, **more: object) -> dict[str, Any]:
    """A job as the Jobs API describes it: one of laketag's, unless ``more`` says otherwise."""
    ours = {"laketag": "0", "command": "laketag query runs --root s3://b/lake"}
    known = {"type": "SUBMISSION", "submission_id": job_id, "entrypoint": "python", "status": "RUNNING"}
    return known | {"metadata": ours, "start_time": 1_700_000_000_000} | more


@contextmanager
def serve_dashboard(ray_version: str) -> Iterator[FakeDashboard]:
    """A dashboard on loopback that reports this version of Ray."""
    dashboard = FakeDashboard(ray_version)

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            request = f"{self.command} {self.path}"
            dashboard.requests.append((request, str(dict(self.headers))))
            if body := self.rfile.read(int(self.headers.get("Content-Length", 0))):
                dashboard.received[request] = body
            status, content = dashboard.answer(request)
            self.close_connection = True
            if status != NO_ANSWER:
                self.send_response(status)
                if isinstance(content, str) and content.startswith("<"):
                    self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((content if isinstance(content, str) else json.dumps(content)).encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    dashboard.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield dashboard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
