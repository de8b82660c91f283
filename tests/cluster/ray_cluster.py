"""A Ray head and raylets on loopback, each in a process of its own, ended by their pids."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.process_tree import below, kill_all
from tests.stores.processes import free_port, start, stop

BIN = Path(sys.executable).parent
PATIENCE_S = 180.0
STORE_BYTES = 200 * 2**20
CPUS = 2
TRIES = 3


@dataclass
class RayNode:
    """One ``ray start --block``, with its raylet and workers below it."""

    process: "subprocess.Popen[bytes]"
    log: Path
    metrics_port: int

    def kill(self) -> None:
        """The raylet and all its workers are killed at once, as when a machine is switched off."""
        started = below(self.process.pid)
        self.process.kill()
        kill_all(started)
        self.process.wait(20)

    def end(self) -> None:
        """The node has shut down, and everything that it started is gone."""
        started = below(self.process.pid)
        stop(self.process)
        kill_all(started)


@dataclass
class RayCluster:
    """A running cluster. A command needs nothing but ``submitter_env`` to submit to it."""

    folder: Path
    env: Mapping[str, str]
    token: str
    gcs_port: int
    dashboard_port: int
    nodes: list[RayNode] = field(default_factory=list)

    @property
    def address(self) -> str:
        """URL of the dashboard."""
        return f"http://127.0.0.1:{self.dashboard_port}"

    @property
    def submitter_env(self) -> dict[str, str]:
        """The variables with the token, and no others."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    @property
    def head(self) -> RayNode:
        """The head node, which runs no tasks."""
        return self.nodes[0]

    def add_worker(self, *, cpus: int = CPUS, options: tuple[str, ...] = ()) -> RayNode:
        """Start one more raylet; it has joined the cluster."""
        before = self.count_alive()
        node = self._start(f"--address=127.0.0.1:{self.gcs_port}", f"--num-cpus={cpus}", *options)
        self._await(before + 1, node)
        return node

    def start_head(self, *options: str) -> RayNode:
        """Start the head; its dashboard answers."""
        system = {"metrics_report_interval_ms": 1000, "health_check_period_ms": 1000}
        node = self._start(
            "--head",
            f"--port={self.gcs_port}",
            "--num-cpus=0",
            "--include-dashboard=true",
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={self.dashboard_port}",
            f"--ray-client-server-port={free_port()}",
            f"--temp-dir={self.folder}",
            f"--system-config={json.dumps(system)}",
            *options,
        )
        self._await(1, node)
        return node

    def count_alive(self) -> int:
        """How many nodes are alive according to the head; requests.RequestException if it does not answer."""
        answer = requests.get(
            f"{self.address}/nodes",
            params={"view": "summary"},
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=10,
        )
        answer.raise_for_status()
        nodes = answer.json()["data"]["summary"]
        return sum(node["raylet"].get("state") == "ALIVE" for node in nodes)

    def read_metrics(self) -> str:
        """The metrics that all living nodes export to Prometheus now."""
        pages = []
        for node in self.nodes:
            if node.process.poll() is None:
                with contextlib.suppress(requests.RequestException):
                    pages.append(
                        requests.get(f"http://127.0.0.1:{node.metrics_port}/metrics", timeout=10).text
                    )
        return "\n".join(pages)

    def _start(self, *options: str) -> RayNode:
        log = self.folder / f"node-{len(self.nodes)}.log"
        metrics_port = free_port()
        command = [
            str(BIN / "ray"),
            "start",
            "--block",
            "--node-ip-address=127.0.0.1",
            f"--metrics-export-port={metrics_port}",
            f"--dashboard-agent-listen-port={free_port()}",
            f"--object-store-memory={STORE_BYTES}",
            "--include-log-monitor=false",
            "--disable-usage-stats",
            *options,
        ]
        node = RayNode(start(["env", "-i", *self._words(), *command], log), log, metrics_port)
        self.nodes.append(node)
        return node

    def _words(self) -> list[str]:
        """The whole environment of a node; nothing of the test process is in it."""
        own = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", "/tmp"),
            "LANG": "C.UTF-8",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "RAY_raylet_start_wait_time_s": "120",
        }
        return [f"{name}={value}" for name, value in (own | dict(self.env)).items()]

    def _await(self, alive: int, node: RayNode) -> None:
        """The cluster has this many living nodes; RuntimeError with the log if the node ends before."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and node.process.poll() is None:
            with contextlib.suppress(requests.RequestException):  # a head that starts does not answer yet
                if self.count_alive() >= alive:
                    return
            time.sleep(0.3)
        raise RuntimeError(f"the node is not there: {node.log.read_text(errors='replace')[-3000:]}")


def start_cluster(
    folder: Path, env: Mapping[str, str], configure: Callable[[RayCluster], str] | None = None
) -> RayCluster:
    """A cluster whose head answers; ``configure`` makes an option from its ports. Tries again if a free port was taken."""
    for left in reversed(range(TRIES)):
        cluster = RayCluster(folder, env, secrets.token_hex(32), free_port(), free_port())
        try:
            cluster.start_head(*([configure(cluster)] if configure else []))
            return cluster
        except RuntimeError:
            cluster.head.end()
            if not left:
                raise
    raise AssertionError("a head answers, or its failure was raised")


@contextmanager
def serve_ray(env: Mapping[str, str], workers: int = 2) -> Iterator[RayCluster]:
    """A head without CPUs and raylets beside it; their processes have this environment and no other."""
    with tempfile.TemporaryDirectory(
        prefix="r-", ignore_cleanup_errors=True
    ) as folder:  # sockets: 107 characters
        cluster = start_cluster(Path(folder), env)
        try:
            for _ in range(workers):
                cluster.add_worker()
            yield cluster
        finally:
            for node in reversed(cluster.nodes):
                node.end()
