"""Fixtures for all tests."""

import pytest
from jaxtyping import install_import_hook

install_import_hook(
    ["pipeline.classifier", "pipeline.models"], "beartype.beartype"
)  # before they are imported

pytest_plugins = ["tests.stores.fixtures", "tests.end_to_end.fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several workers, one runs the tests of a file, and one all that share the test cluster."""
    for item in items:
        group = "cluster" if item.path.parent.name == "cluster" else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
