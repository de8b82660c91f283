"""Fixtures: one cluster with the store's credentials for all tests, and the demo's lake as one machine labels it."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from laketag.demo.lake import write_demo_images
from tests.cluster.ray_cluster import RayCluster, serve_ray
from tests.end_to_end.command_line import must_run
from tests.end_to_end.lakes import DEMO_DESCRIPTIONS, DEMO_SETTINGS, SOUND, label_in_folder
from tests.end_to_end.shared_ray import SharedRay
from tests.stores.store import folder_store, s3_env


@pytest.fixture(scope="session")
def cluster(ceph_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A head and two raylets that have the credentials of the Ceph store's owner."""
    cache = tmp_path_factory.mktemp("cache")
    with serve_ray(s3_env(ceph_url) | {"LAKETAG_CACHE": str(cache)}) as running:
        yield running


@pytest.fixture(scope="session")
def demo_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Name → bytes of a few of the images that ``laketag demo`` draws, and of all those broken on purpose."""
    folder = tmp_path_factory.mktemp("drawn")
    drawn = (image.path for image in write_demo_images(folder, count=SOUND) if image.fault != "no_image")
    return {str(path.relative_to(folder)): path.read_bytes() for path in drawn}


@pytest.fixture(scope="session")
def demo_table(
    tmp_path_factory: pytest.TempPathFactory, shared_ray: SharedRay, demo_images: dict[str, bytes]
) -> pl.DataFrame:
    """The table of the demo's images that were labelled on one machine, with the demo's settings."""
    shared_ray.join()
    store = folder_store(tmp_path_factory.mktemp("demo"))
    settings = ("--settings", str(DEMO_SETTINGS))
    must_run("describe", str(DEMO_DESCRIPTIONS), "--root", store.url("described"), "-s", "s", *settings)
    return label_in_folder(store, demo_images, Path(store.url("described")), DEMO_SETTINGS)
