"""Fixtures for all tests."""

import atexit
import gc
import os
import shutil
import tempfile

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

settings.register_profile("any machine", deadline=None)  # no test asserts how long an example takes
settings.load_profile("any machine")

os.environ["LAKETAG_CACHE"] = tempfile.mkdtemp(
    prefix="laketag-cache-"
)  # and not the home folder of who tests
atexit.register(shutil.rmtree, os.environ["LAKETAG_CACHE"], ignore_errors=True)

install_import_hook(
    ["laketag.pipeline.classifier", "laketag.pipeline.models"], "beartype.beartype"
)  # before they are imported

# tables are small, and another process of the tests has the other core
os.environ["POLARS_MAX_THREADS"] = "1"
os.environ["POLARS_CLOUD_RETRY_INIT_BACKOFF_MS"] = "10"  # polars retries as often as it would, but at once
os.environ["POLARS_CLOUD_RETRY_MAX_BACKOFF_MS"] = "50"

pytest_plugins = ["tests.stores.fixtures", "tests.end_to_end.shared_ray", "tests.end_to_end.fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with the shared Ray run before all others: pytest-xdist gives them to one process, with one Ray and one lake.

    First are those that need to be without it, so that it is started once.
    """

    def order(item: pytest.Item) -> int:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        return 2 - ("shared_ray" in fixtures) - ("without_ray" in fixtures)

    items.sort(key=order)


def pytest_collection() -> None:
    """Nothing that is imported and collected becomes garbage, so that none is looked for meanwhile."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Garbage collections pass over what was imported and collected, a million objects that live as long as the process.

    To walk through them again took a third of the tests' CPU time.
    """
    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)  # or extension modules report at the end that their objects leak
