"""The metrics that a cluster exports, read as Prometheus reads them."""

import re
from dataclasses import dataclass

from tests.cluster.ray_cluster import RayCluster

LINE = re.compile(r"^(ray_laketag_\w+)\{(.*)\} (\S+)$")
TAG = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Sample:
    """One line of the exposition format."""

    name: str
    tags: dict[str, str]
    value: float


def read_exported(cluster: RayCluster) -> list[Sample]:
    """The samples of laketag's own metrics, from all living nodes."""
    lines = (LINE.match(line) for line in cluster.read_metrics().splitlines())
    return [Sample(m[1], dict(TAG.findall(m[2])), float(m[3])) for m in lines if m]


def exported(cluster: RayCluster, gauge: str) -> float:
    """The value of a gauge of the run now; 0 if there is none."""
    name = f"ray_laketag_run_{gauge}"
    return max((sample.value for sample in read_exported(cluster) if sample.name == name), default=0.0)
