"""Where an embedded Ray keeps its files when the usual folders cannot be used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from laketag.pipeline.cluster.ray_files import LONGEST_FOLDER, ray_folder
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


def test_a_token_is_in_the_environment_while_ray_runs_and_one_that_a_person_has_set_is_used() -> None:
    """In a process of its own: the token of a Ray to which this one may be connected must not change."""
    code = (
        "import os; from laketag.pipeline.cluster.ray_files import own_token\n"
        "with own_token():\n"
        "    print(len(os.environ['RAY_AUTH_TOKEN']))\n"
        "    os.environ['RAY_AUTH_MODE'] = 'token'  # as Ray does\n"
        "print([name for name in os.environ if name.startswith('RAY_AUTH_')])\n"
        "os.environ['RAY_AUTH_TOKEN'] = 'f'\n"
        "with own_token():\n"
        "    print(os.environ['RAY_AUTH_TOKEN'])\n"
        "print(os.environ['RAY_AUTH_TOKEN'])"
    )
    without = {name: value for name, value in command_env().items() if not name.startswith("RAY_AUTH_")}
    said = subprocess.run(
        [sys.executable, "-c", code], env=without, capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == ["64", "[]", "f", "f"]
