"""Fixture: one cluster with the store's credentials for all tests."""

from collections.abc import Iterator

import pytest

from tests.cluster.ray_cluster import RayCluster, serve_ray
from tests.stores.store import s3_env


@pytest.fixture(scope="session")
def cluster(ceph_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A head and two raylets that have the credentials of the Ceph store's owner."""
    cache = tmp_path_factory.mktemp("cache")
    with serve_ray(s3_env(ceph_url) | {"LAKETAG_CACHE": str(cache)}) as running:
        yield running
