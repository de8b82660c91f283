"""A folder that cannot be listed is no empty folder."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.folders import list_everything, list_files, list_folders


@pytest.mark.parametrize("list_them", [list_files, list_everything, list_folders])
def test_a_disk_that_fails_raises_its_error_and_what_is_missing_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, list_them: Callable[..., list[Any]]
) -> None:
    storage = StorageSettings(max_outage_s=0)
    (tmp_path / "file").touch()
    for missing in ("missing", "missing/below", "file/below"):
        assert list_them(str(tmp_path / missing), storage) == []
    below = tmp_path / "labels" / "below"
    below.mkdir(parents=True)
    scan = os.scandir

    def scan_failing_disk(path: str) -> Any:
        if Path(path) == below:
            raise OSError(errno.ESTALE, "Stale file handle", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_failing_disk)
    for folder in (below, below.parent)[: 1 if list_them is list_folders else 2]:
        with pytest.raises(StorageError, match="Stale file handle"):
            list_them(str(folder), storage)
