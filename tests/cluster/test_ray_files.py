"""Where an embedded Ray keeps its files when the usual folders cannot be used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from laketag.pipeline.cluster.ray_files import LONGEST_FOLDER, own_token, ray_folder
from tests.end_to_end.command_line import command_env


def test_sessions_are_in_rays_own_folder_unless_its_path_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    assert ray_folder() == Path("/tmp/ray")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / ("x" * LONGEST_FOLDER)))
    assert ray_folder() == Path(f"/tmp/ray-{os.getuid()}")


def test_a_folder_that_cannot_be_made_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/dev/null")
    assert ray_folder() == Path(f"/tmp/ray-{os.getuid()}")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir(mode=0o755)
    code = (
        "import os, ray; from laketag.pipeline.cluster.ray_files import ray_folder\n"
        "print(ray_folder()); os.setuid(65534); print(ray_folder())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=command_env({"RAY_TMPDIR": str(tmp_path)}),
        capture_output=True,
        text=True,
        check=True,
    )
    usual = tmp_path / "ray" if len(os.fsencode(tmp_path / "ray")) <= LONGEST_FOLDER else Path("/tmp/ray-0")
    assert said.stdout.split() == [str(usual), "/tmp/ray-65534"]


def test_the_token_is_in_the_environment_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    with own_token():
        assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
        os.environ["RAY_AUTH_MODE"] = "token"  # as Ray does
    assert not [name for name in os.environ if name.startswith("RAY_AUTH_")]


def test_a_token_that_a_person_has_set_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    with own_token():
        assert os.environ["RAY_AUTH_TOKEN"] == "f" * 64
    assert os.environ["RAY_AUTH_TOKEN"] == "f" * 64
