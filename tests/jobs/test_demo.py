"""The demo replaces its own folder only."""

from pathlib import Path

import pytest

from laketag.jobs.demo import MARKER, clear_folder
from laketag.pipeline.errors import InputError


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[method]\n")
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="was not made by a demo"):
        clear_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg", "settings.toml"]
    with pytest.raises(InputError, match="is not a folder"):
        clear_folder(tmp_path / "photo.jpg")


def test_other_files_in_a_demos_folder_are_kept(tmp_path: Path) -> None:
    for name in (MARKER, "mine.txt", "lake/old.parquet", "images/old.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    clear_folder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [MARKER, "mine.txt"]


def test_a_new_folder_is_made_and_marked(tmp_path: Path) -> None:
    clear_folder(tmp_path / "new" / "demo")
    assert [path.name for path in (tmp_path / "new" / "demo").iterdir()] == [MARKER]
