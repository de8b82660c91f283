"""Fixtures for all tests."""

from jaxtyping import install_import_hook

install_import_hook(
    ["laketag.pipeline.classifier", "laketag.pipeline.models"], "beartype.beartype"
)  # before they are imported

pytest_plugins = ["tests.stores.fixtures", "tests.end_to_end.fixtures"]
