"""A Ray head and raylets on loopback, each a process of its own, ended by their recorded numbers."""

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
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID

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
        """The node is gone at once, as when its machine is switched off: raylet, workers and all, by their numbers."""
        started = below(self.process.pid)
        self.process.kill()
        kill_all(started)
        self.process.wait(20)

    def end(self) -> None:
        """The node is gone, and so is everything that it started."""
        started = below(self.process.pid)
        stop(self.process)
        kill_all(started)


@dataclass
class RayCluster:
    """A running cluster; ``submitter_env`` is all that a command needs to submit to it."""

    folder: Path
    env: Mapping[str, str]
    token: str
    gcs_port: int
    dashboard_port: int
    nodes: list[RayNode] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Of the dashboard."""
        return f"http://127.0.0.1:{self.dashboard_port}"

    @property
    def submitter_env(self) -> dict[str, str]:
        """The token and nothing else."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    @property
    def head(self) -> RayNode:
        """The node without work on it."""
        return self.nodes[0]

    def add_worker(self, *, cpus: int = CPUS, options: tuple[str, ...] = ()) -> RayNode:
        """One more raylet has joined."""
        before = self.count_alive()
        node = self._start(f"--address=127.0.0.1:{self.gcs_port}", f"--num-cpus={cpus}", *options)
        self._await(before + 1, node)
        return node

    def start_head(self, *options: str) -> RayNode:
        """The head answers."""
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
        """How many nodes the head holds for alive; requests.RequestException if it does not answer."""
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
        """What all living nodes export to Prometheus now."""
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
        """The node's whole environment: nothing of the tests' own."""
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
        """So many nodes are alive, this one among them."""
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
    """A head answers, with the option that is made for its ports; a port that was taken meanwhile costs another try."""
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
def serve_growing_ray(
    env: Mapping[str, str], machines: Mapping[str, float], most: int
) -> Iterator[RayCluster]:
    """A head without CPUs whose autoscaler starts raylets with these resources on demand, and so many at most."""
    with tempfile.TemporaryDirectory(prefix="r-", ignore_cleanup_errors=True) as folder:
        growing = dict(env) | {
            "RAY_FAKE_CLUSTER": "1",
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
        }
        file = Path(folder) / "autoscaling.yaml"

        def configure(cluster: RayCluster) -> str:
            file.write_text(json.dumps(growing_config(cluster, machines, most)))
            return f"--autoscaling-config={file}"

        cluster = start_cluster(Path(folder), growing, configure)
        try:
            yield cluster
        finally:
            cluster.head.end()


def growing_config(cluster: RayCluster, machines: Mapping[str, float], most: int) -> dict[str, object]:
    """What Ray's autoscaler reads, for its own provider of raylets on one machine."""
    provider = {
        "type": "external",  # by its class: the wheel lacks the defaults that its short name reads
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "gcs_address": f"127.0.0.1:{cluster.gcs_port}",
        "head_node_id": FAKE_HEAD_NODE_ID,
        "launch_multiple": True,
        "disable_node_updaters": True,  # a raylet is all of a node here
    }
    types = {
        "ray.head.default": {"resources": {}, "node_config": {}, "max_workers": 0},
        "worker": {"resources": dict(machines), "node_config": {}, "min_workers": 0, "max_workers": most},
    }
    stages = ("setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    nothing: dict[str, object] = {f"{stage}_commands": [] for stage in stages}
    nothing |= {"file_mounts": {}, "cluster_synced_files": []}
    return nothing | {
        "cluster_name": "growing",
        "max_workers": most,
        "idle_timeout_minutes": 0.2,
        "upscaling_speed": 100,
        "provider": provider,
        "available_node_types": types,
        "head_node_type": "ray.head.default",
    }


@contextmanager
def serve_ray(env: Mapping[str, str], workers: int = 2) -> Iterator[RayCluster]:
    """A head without CPUs and so many raylets beside it, whose processes have this environment and no other."""
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
