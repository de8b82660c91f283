import json
import platform
from pathlib import Path

import pytest

from jobs.remote import check_python
from pipeline.errors import ClusterError


def manifest(folder: Path, python: str) -> Path:
    file = folder / "submitted.json"
    file.write_text(json.dumps({"laketag": "0", "python": python}))
    return file


def test_the_same_minor_version_of_python_is_taken(tmp_path: Path) -> None:
    here = platform.python_version_tuple()
    check_python(manifest(tmp_path, f"{here[0]}.{here[1]}.99"))


def test_another_python_is_refused_with_both_versions_and_the_fix(tmp_path: Path) -> None:
    with pytest.raises(
        ClusterError, match=rf"runs Python {platform.python_version()} .*Python 3\.8\.1; submit from"
    ):
        check_python(manifest(tmp_path, "3.8.1"))
