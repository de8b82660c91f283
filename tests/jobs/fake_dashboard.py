"""A dashboard that only says its version and takes jobs, to see what a submission sends."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FakeDashboard:
    """What it answers, and the body of every request by ``METHOD path``."""

    ray_version: str
    url: str = ""
    received: dict[str, bytes] = field(default_factory=dict)

    @property
    def everything(self) -> bytes:
        """All that was sent to it."""
        return b"\n".join(self.received.values())

    @property
    def job(self) -> dict[str, object]:
        """The job that was submitted."""
        loaded: dict[str, object] = json.loads(self.received["POST /api/jobs/"])
        return loaded


@contextmanager
def serve_dashboard(ray_version: str) -> Iterator[FakeDashboard]:
    """A dashboard on loopback that claims to run this Ray."""
    dashboard = FakeDashboard(ray_version)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/api/version":
                return self._answer(
                    200, {"version": "4", "ray_version": ray_version, "ray_commit": "", "session_name": ""}
                )
            return self._answer(404, {})

        def do_PUT(self) -> None:
            self._keep()
            self._answer(200, {})

        def do_POST(self) -> None:
            body = self._keep()
            self._answer(200, {"submission_id": json.loads(body)["submission_id"], "job_id": "1"})

        def _keep(self) -> bytes:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            dashboard.received[f"{self.command} {self.path}"] = body + str(self.headers).encode() * (
                self.command == "PUT"
            )
            return body

        def _answer(self, code: int, content: object) -> None:
            data = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    dashboard.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield dashboard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
