"""A Ray head whose autoscaler starts raylets on this machine, as a cloud's autoscaler starts machines."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID

from tests.cluster.ray_cluster import RayCluster, start_cluster


@contextmanager
def serve_growing_ray(
    env: Mapping[str, str], machines: Mapping[str, float], most: int
) -> Iterator[RayCluster]:
    """A head without CPUs whose autoscaler starts at most ``most`` raylets with these resources, on demand."""
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
    """The autoscaler's configuration, with Ray's own provider that starts raylets on this machine."""
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
