"""One embedded Ray for all tests of a process that do not disturb it: to start one takes as long as to label a small lake."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from unittest.mock import patch

import pytest
import ray

from laketag.pipeline.cluster.ray_runtime import ray_runtime
from tests.stores.store import credentials_env

CPUS = 2
"""Logical ones: a label actor and what fetches and decodes for it, as on a machine of two cores."""
KEEP_WORKERS = {"RAY_num_workers_soft_limit": "8"}
"""Ray ends idle workers beyond the number of CPUs, and each test would start, and import, all of its own again."""


class SharedRay:
    """The Ray that this process starts when a test needs it first, and after a test that needed to be without."""

    def __init__(self) -> None:
        self._running: ExitStack | None = None
        self._token = ""

    def join(self) -> None:
        """This process is connected to it; its workers know the credentials of the stores' owner, and no endpoint."""
        if self._running is None:
            self._running = ExitStack()
            with patch.dict(os.environ, credentials_env() | KEEP_WORKERS):
                self._running.enter_context(ray_runtime(logical_cpus=CPUS))
                self._token = os.environ["RAY_AUTH_TOKEN"]

    @property
    def env(self) -> dict[str, str]:
        """With which another process joins it too."""
        return {
            "RAY_ADDRESS": ray.get_runtime_context().gcs_address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self._token,
        }

    def leave(self) -> None:
        """This process is connected to no Ray."""
        if self._running is not None:
            self._running.close()
            self._running = None
            gc.collect()  # as ray_runtime does before it starts one: the next may be started by other means


_shared = SharedRay()


@pytest.fixture(scope="session")
def shared_ray() -> Iterator[SharedRay]:
    """For fixtures that label or describe: call ``join`` before."""
    yield _shared
    _shared.leave()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Function) -> None:
    """Tests that need no Ray run without: its threads read the environment, and die if a test changes it meanwhile."""
    if "shared_ray" not in item.fixturenames:
        _shared.leave()


@pytest.fixture
def joined_ray(shared_ray: SharedRay) -> None:
    """Commands of this test that run in this process find a Ray that runs."""
    shared_ray.join()


@pytest.fixture
def without_ray(shared_ray: SharedRay) -> None:
    """This process is connected to no Ray when the test begins."""
    shared_ray.leave()
