"""Fixtures: one cluster with the store's credentials for all tests, and the demo's lake as one machine labels it."""

from collections.abc import Iterator

import polars as pl
import pytest

from laketag.demo.lake import write_demo_images
from tests.cluster.ray_cluster import RayCluster, serve_ray
from tests.end_to_end.command_line import must_run
from tests.end_to_end.lakes import DEMO_DESCRIPTIONS, DEMO_SETTINGS, index_named, label, put_all, table
from tests.stores.store import folder_store, s3_env


@pytest.fixture(scope="session")
def cluster(ceph_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A head and two raylets that have the credentials of the Ceph store's owner."""
    cache = tmp_path_factory.mktemp("cache")
    with serve_ray(s3_env(ceph_url) | {"LAKETAG_CACHE": str(cache)}) as running:
        yield running


@pytest.fixture(scope="session")
def demo_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Name → bytes of every image that ``laketag demo`` draws, those broken on purpose included."""
    folder = tmp_path_factory.mktemp("drawn")
    drawn = (image.path for image in write_demo_images(folder) if image.fault != "no_image")
    return {str(path.relative_to(folder)): path.read_bytes() for path in drawn}


@pytest.fixture(scope="session")
def demo_table(tmp_path_factory: pytest.TempPathFactory, demo_images: dict[str, bytes]) -> pl.DataFrame:
    """The table of the demo's images that were labelled on one machine, with the demo's settings."""
    store = folder_store(tmp_path_factory.mktemp("demo"))
    put_all(store, demo_images)
    lake = store.url("lake")
    index_named(store, lake, demo_images)
    settings = ("--settings", str(DEMO_SETTINGS))
    must_run("describe", str(DEMO_DESCRIPTIONS), "--root", lake, "-s", "s", *settings)
    must_run(*label(lake), *settings)
    return table(store, lake)
