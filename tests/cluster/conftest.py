"""Fixtures: one cluster with the store's credentials for all tests, and a lake on Ceph."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.ray_cluster import RayCluster, serve_ray
from tests.end_to_end.test_lake import descriptions, tiny_settings  # noqa: F401  # fixtures
from tests.stores.store import s3_env


@pytest.fixture(scope="session")
def cluster(ceph_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A head and two raylets that have the credentials of the Ceph store's owner."""
    cache = tmp_path_factory.mktemp("cache")
    with serve_ray(s3_env(ceph_url) | {"LAKETAG_CACHE": str(cache)}) as running:
        yield running


@pytest.fixture
def shipped(tmp_path: Path, tiny_settings: Path) -> Path:  # noqa: F811  # the fixture
    """Settings for runs that take long enough to be watched: small blocks, more crops."""
    file = tmp_path / f"cluster-{time.time_ns()}.toml"
    text = tiny_settings.read_text().replace("crops = 4", "crops = 30")
    file.write_text(text.replace("batch_size = 7\nrows_per_block = 8", "batch_size = 4\nrows_per_block = 4"))
    return file
