"""The shapes that signatures name are checked in every test."""

import importlib
import pkgutil

import pytest


@pytest.mark.parametrize("package", ["laketag.pipeline.classifier", "laketag.pipeline.models"])
def test_every_module_is_loaded_with_its_checks(package: str) -> None:
    for found in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        module = importlib.import_module(found.name)
        assert type(module.__loader__).__module__.startswith("jaxtyping"), found.name
