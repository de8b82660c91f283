"""A real head, started with the command of ray_cluster.yaml: its ports, its token, its probes, its metrics."""

import json
import os
import shlex
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray._private.services as services
from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

from tests.end_to_end.command_line import wait_until
from tests.infra.manifests import INFRA, PROJECT, ray_groups, read_document
from tests.infra.programs import PATH, need_program, output_of
from tests.stores.processes import free_port, start, stop

pytestmark = pytest.mark.cluster
TOKEN = "0123456789abcdef0123456789abcdef"
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Head:
    """Where the head listens; ``folder`` is its /tmp/ray."""

    ip: str
    dashboard: int
    agent: int
    metrics: int
    folder: Path


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    config = read_document(PROJECT / "ray_cluster.yaml")
    (command,) = [command for command in config["head_start_ray_commands"] if "ray start" in command]
    ip = str(services.get_node_ip_address())  # type: ignore[no-untyped-call]  # Ray
    ports = {
        name: free_port() for name in ("port", "object-manager-port", "dashboard-port", "metrics-export-port")
    }
    agent = free_port()
    words = [word for word in shlex.split(command) if not word.startswith("--autoscaling-config")]
    words = [
        f"--{name}={ports[name]}" if (name := word[2:].partition("=")[0]) in ports else word for word in words
    ]
    with tempfile.TemporaryDirectory(
        prefix="head-"
    ) as name:  # not pytest's own: Ray's sockets need a short path
        folder = Path(name)
        (folder / "auth_token").write_text(TOKEN)
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RAY_")},
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder / "auth_token"),
            "PATH": PATH,
        }
        others = (
            f"--temp-dir={folder}/ray",
            f"--node-ip-address={ip}",
            f"--dashboard-agent-listen-port={agent}",
        )
        few_workers = (
            f"--worker-port-list={free_port()},{free_port()}",
            f"--ray-client-server-port={free_port()}",
        )
        process = start([*words, *others, *few_workers, "--block"], folder / "head.log", env)
        try:
            found = Head(ip, ports["dashboard-port"], agent, ports["metrics-export-port"], folder / "ray")
            end = time.monotonic() + PATIENCE_S
            while status(f"http://{ip}:{agent}/api/healthz") != 200:
                assert time.monotonic() < end, (folder / "head.log").read_text()
                assert process.poll() is None, (folder / "head.log").read_text()
                time.sleep(0.5)  # between two checks, each of which may show why the head ended
            yield found
        finally:
            stop(process)  # with --block, `ray start` ends all that it has started


def status(url: str, token: str | None = None) -> int:
    """The HTTP status of the response; 0 without one."""
    request = urllib.request.Request(
        url, headers={} if token is None else {"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_jobs_need_the_right_token(head: Head) -> None:
    url = f"http://127.0.0.1:{head.dashboard}/api/jobs/"
    assert [status(url), status(url, "another"), status(url, TOKEN)] == [401, 403, 200]


def test_the_dashboard_is_on_loopback_only(head: Head) -> None:
    assert status(f"http://127.0.0.1:{head.dashboard}/api/gcs_healthz") == 200
    assert status(f"http://{head.ip}:{head.dashboard}/api/gcs_healthz") == 0


def test_every_probe_of_the_pods_answers_without_a_token(head: Head) -> None:
    """Ports of a pod are Ray's defaults: 8265 the dashboard's, 52365 the agent's."""
    for group in ray_groups():
        (container,) = group["template"]["spec"]["containers"]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container[kind]["httpGet"]
            host = {8265: f"127.0.0.1:{head.dashboard}", 52365: f"{head.ip}:{head.agent}"}[probe["port"]]
            assert status(f"http://{host}{probe['path']}") == 200, probe


def test_metrics_need_no_token(head: Head) -> None:
    end = time.monotonic() + PATIENCE_S
    wanted = (
        "ray_node_mem_used",
        "ray_node_mem_total",
        "ray_node_cpu_utilization",
        "ray_object_store_memory",
    )
    while missing := [metric for metric in wanted if f"\n{metric}{{" not in _exported(head)]:
        assert time.monotonic() < end, missing
        time.sleep(0.5)  # between two checks; each process reports every few seconds


def test_rays_list_of_nodes_is_a_link_that_only_the_same_path_can_follow(head: Head) -> None:
    file = head.folder / PROMETHEUS_SERVICE_DISCOVERY_FILE
    wait_until(file.is_file, "Ray lists its nodes for Prometheus", patience_s=PATIENCE_S)
    assert file.readlink().is_absolute()
    assert file.readlink().is_relative_to(head.folder)


def test_prometheus_as_it_is_configured_reads_the_head(head: Head, tmp_path: Path) -> None:
    need_program("prometheus")
    for name in ("prometheus.yml", "alerts.yml"):
        text = (INFRA / "monitoring" / name).read_text().replace("/tmp/ray/", f"{head.folder}/")
        (tmp_path / name).write_text(text.replace("scrape_interval: 15s", "scrape_interval: 1s"))
    url = f"127.0.0.1:{free_port()}"
    words = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    process = start(["prometheus", *words, f"--web.listen-address={url}"], tmp_path / "log")
    try:
        end = time.monotonic() + PATIENCE_S
        while _health(f"http://{url}/api/v1/targets").get(f"{head.ip}:{head.metrics}") != "up":
            assert time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.5)  # between two checks; Prometheus scrapes every second
    finally:
        stop(process)


def _health(url: str) -> dict[str, str]:
    """The health of each target of a Prometheus; empty before it listens."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            targets = json.load(answer)["data"]["activeTargets"]
    except OSError:
        return {}
    return {target["labels"]["instance"]: target["health"] for target in targets}


def _exported(head: Head) -> str:
    with urllib.request.urlopen(f"http://{head.ip}:{head.metrics}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_the_head_offers_no_cpu_for_tasks(head: Head) -> None:
    program = "import ray; ray.init(log_to_driver=False); print(ray.cluster_resources().get('CPU', 0.0))"
    address = (head.folder / "ray_current_cluster").read_text().strip()
    env = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_ADDRESS": address}
    printed = output_of(sys.executable, "-c", program, env={**os.environ, **env})
    assert float(printed.split()[-1]) == 0
