"""Fixtures of the tests of flows."""

from pathlib import Path

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.paths import Lake, open_lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake in a local folder."""
    return open_lake(str(tmp_path), StorageSettings())
