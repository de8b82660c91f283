"""A Kubernetes API server that implements only RayJobs; a script of states replaces the operator.

It is stricter than Kubernetes and refuses a RayJob with the name of an existing Job: the real operator gives the submitter's
Job the RayJob's name, would mistake the other Job for it, and the run would never start.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/apis/ray.io/v1/namespaces/laketag/rayjobs"
TOKEN = "the-pods-own-token"


@dataclass
class RayJobs:
    """The server's RayJobs, and the statuses that it will return."""

    script: list[dict[str, Any] | int]  # statuses, or HTTP errors; the last one stays
    job: str  # the existing Kubernetes Job: the nightly's own
    url: str = ""
    rayjobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_rayjobs(script: list[dict[str, Any] | int], job: str) -> Iterator[RayJobs]:
    """Serve on loopback until the block ends."""
    state = RayJobs(script, job)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = body["metadata"]["name"]
            if self._refused("create") or self.path != PATH:
                return self._answer(403, {})
            if name == state.job:
                return self._answer(422, {"reason": "Invalid"})
            if name in state.rayjobs:
                return self._answer(409, {"reason": "AlreadyExists"})
            state.rayjobs[name] = body
            return self._answer(201, body)

        def do_GET(self) -> None:
            name = self.path.removeprefix(PATH + "/")
            if self._refused("get"):
                return self._answer(403, {})
            if name not in state.rayjobs:
                return self._answer(404, {"reason": "NotFound"})
            step = state.script.pop(0) if len(state.script) > 1 else state.script[0]
            if isinstance(step, int):
                return self._answer(step, {})
            return self._answer(200, {**state.rayjobs[name], "status": step})

        def _refused(self, verb: str) -> bool:
            state.asked.append(verb)
            return self.headers["Authorization"] != f"Bearer {TOKEN}"

        def _answer(self, code: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:  # the base class names it so
            """Do not log requests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, name="api-server", daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
