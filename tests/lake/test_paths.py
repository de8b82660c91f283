from pathlib import Path

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.lake.paths import locate_lake


@pytest.mark.parametrize("root", ["s3://", "s3:///", "s3:///lake"])
def test_a_root_whose_bucket_is_an_unset_variable_is_refused(root: str) -> None:
    with pytest.raises(SettingsError, match=r"names no bucket .*give s3://bucket/prefix"):
        locate_lake(root, StorageSettings())


def test_a_root_is_a_folder_from_here_or_a_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate_lake("lake", StorageSettings()).root == f"{tmp_path}/lake"
    assert locate_lake("s3://bucket/lake/", StorageSettings()).root == "s3://bucket/lake"
    with pytest.raises(SettingsError, match="has the scheme gs://"):
        locate_lake("gs://bucket/lake", StorageSettings())


@pytest.mark.parametrize("root", ["s3:/bucket/lake", "file:/lake", "", " "])
def test_a_root_that_would_become_a_folder_by_mistake_is_refused(root: str) -> None:
    with pytest.raises(SettingsError, match=r"is empty|is neither a path nor a URL; write (s3|file)://"):
        locate_lake(root, StorageSettings())
