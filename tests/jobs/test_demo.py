"""The demo keeps to its own folder, its own machine and its own store."""

import os
from pathlib import Path

import pytest

from laketag.jobs.demo import MARKER, demo
from laketag.jobs.environment import environment
from laketag.pipeline.errors import InputError


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[method]\n")
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="no demo made it"):
        demo(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg", "settings.toml"]
    with pytest.raises(InputError, match="is no folder"):
        demo(tmp_path / "photo.jpg")


def test_what_others_put_beside_a_demo_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import laketag.demo.lake

    class StopError(Exception):
        pass

    def stop(_folder: Path) -> None:
        raise StopError

    monkeypatch.setattr(laketag.demo.lake, "write_demo_images", stop)
    for name in (MARKER, "mine.txt", "lake/old.parquet", "images/old.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    from laketag.jobs.demo import demo as command

    with pytest.raises(StopError):
        command(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [MARKER, "mine.txt"]


def test_the_environment_is_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKETAG_A", "1")
    monkeypatch.delenv("LAKETAG_B", raising=False)
    with environment({"LAKETAG_A": None, "LAKETAG_B": "2"}):
        assert ("LAKETAG_A" in os.environ, os.environ["LAKETAG_B"]) == (False, "2")
    assert (os.environ["LAKETAG_A"], "LAKETAG_B" in os.environ) == ("1", False)
