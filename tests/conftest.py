"""Fixtures for all tests."""

from hypothesis import settings
from jaxtyping import install_import_hook

settings.register_profile("any machine", deadline=None)  # no test asserts how long an example takes
settings.load_profile("any machine")

install_import_hook(
    ["laketag.pipeline.classifier", "laketag.pipeline.models"], "beartype.beartype"
)  # before they are imported

pytest_plugins = ["tests.stores.fixtures", "tests.end_to_end.shared_ray", "tests.end_to_end.fixtures"]
