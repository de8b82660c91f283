"""Fixtures: ``store`` is a folder, moto or Ceph; ``bucket`` one of the last two; ``faults`` breaks its answers.

The variables of the store are set in this process too, so what a test starts inherits them.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from laketag.pipeline.store import looks, versioned_file
from tests.stores.ceph_gateway import missing_programs, serve_ceph
from tests.stores.fault_proxy import FaultProxy, serve_faults
from tests.stores.moto_server import serve_moto
from tests.stores.store import OWNER, STRANGER, Store, folder_store, new_bucket, remove_bucket, s3_env

CEPH = pytest.param("ceph", marks=pytest.mark.ceph)


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a moto server."""
    with serve_moto(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture(scope="session")
def ceph_url() -> Iterator[str]:
    """The endpoint of a Ceph gateway that knows OWNER and STRANGER."""
    if missing := missing_programs():
        reason = f"{', '.join(missing)} missing; infra/ci/install-system-packages.sh installs them"
        if os.environ.get("LAKETAG_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # not pytest's own folder: a Unix socket's path may have 107 characters at most
    with (
        tempfile.TemporaryDirectory(prefix="ceph-") as folder,
        serve_ceph(Path(folder), (OWNER, STRANGER)) as url,
    ):
        yield url


@pytest.fixture
def moto(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty bucket on moto."""
    yield from _bucket("moto", moto_url, monkeypatch)


@pytest.fixture
def ceph(ceph_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty bucket on Ceph."""
    yield from _bucket("ceph", ceph_url, monkeypatch)


@pytest.fixture(params=["moto", CEPH])
def bucket(request: pytest.FixtureRequest) -> Store:
    """An empty bucket, on each S3 server."""
    store: Store = request.getfixturevalue(request.param)
    return store


@pytest.fixture(params=["folder", "moto", CEPH])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty place for a lake, on each kind of store."""
    if request.param == "folder":
        (tmp_path / "store").mkdir()
        return folder_store(tmp_path / "store")
    store: Store = request.getfixturevalue(request.param)
    return store


@pytest.fixture
def faults(bucket: Store) -> Iterator[FaultProxy]:
    """A proxy before the bucket's server; reach it with ``bucket.through(faults.url)``."""
    assert bucket.storage.endpoint_url is not None
    with serve_faults(bucket.storage.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def moto_faults(moto: Store) -> Iterator[FaultProxy]:
    """As faults, before moto alone."""
    assert moto.storage.endpoint_url is not None
    with serve_faults(moto.storage.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients try once, where how often they try is no claim of the test; name it after the store's fixture."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for module in (looks, versioned_file):
        monkeypatch.setattr(module, "LOOK", replace(looks.LOOK, tries=1))


def _bucket(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    for variable, value in s3_env(url).items():
        monkeypatch.setenv(variable, value)
    store = new_bucket(name, url)
    yield store
    for variable, value in s3_env(url).items():  # a test may have changed them
        monkeypatch.setenv(variable, value)
    remove_bucket(store)
