"""The nightly of EC2, with programs that only record how they were called."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from laketag.jobs.submission.command import read_command
from tests.end_to_end.command_line import wait_until
from tests.infra.manifests import INFRA
from tests.infra.programs import run_program

TO_HEAD = f"--address http://127.0.0.1:18265 --settings {INFRA}/kubernetes/settings.toml"
SUBMITTED = f"nightly {INFRA}/kubernetes/night.toml --verbose"
SSH = 'sleep 300 & echo $! > "$HOME/ssh"; wait'
"""As `ray dashboard` does it: a child of its own, which it does not end."""

Night = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Runs the script; ``dashboard``, ``curl`` and ``laketag`` are what those programs do."""

    def run(
        *, dashboard: str = SSH, curl: str = "exit 0", laketag: str = "exit 0"
    ) -> "subprocess.CompletedProcess[str]":
        does = {
            "ray": f"case $1 in dashboard) {dashboard};; esac",
            "curl": f'[ -s "$HOME/ssh" ] || exit 7; {curl}',
            "laketag": laketag,
        }
        (tmp_path / "bin").mkdir(exist_ok=True)
        for name, script in does.items():
            note = "" if name == "curl" else f'echo {name} "$@" >> "$HOME/calls"\n'
            (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{note}{script}\n")
            (tmp_path / "bin" / name).chmod(0o755)
        env = {
            "HOME": str(tmp_path),
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "LAKETAG_TUNNEL_PATIENCE_S": "1",
        }
        return run_program(INFRA / "aws/nightly.sh", env=env)

    return run


def calls(folder: Path) -> list[str]:
    file = folder / "calls"
    text = file.read_text() if file.exists() else ""
    return text.replace(f"{INFRA}/../ray_cluster.yaml", "FILE").splitlines()


def is_alive(pid: str) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return ") Z" not in Path(f"/proc/{pid.strip()}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_night_makes_the_cluster_does_its_work_and_ends_it(night: Night, tmp_path: Path) -> None:
    result = night()
    assert result.returncode == 0, result.stderr
    assert calls(tmp_path) == [
        "ray up FILE --yes --no-restart",
        "ray dashboard FILE --port 18265",
        f"laketag submit {TO_HEAD} -- {SUBMITTED}",
        "ray down FILE --yes",
    ]


def test_the_work_is_a_command_that_laketag_sends() -> None:
    assert read_command(shlex.split(SUBMITTED)).name == "nightly"


@pytest.mark.parametrize("code", [0, 5])
def test_the_tunnel_ends_with_the_night_and_with_it_all_that_holds_its_port(
    night: Night, tmp_path: Path, code: int
) -> None:
    assert night(laketag=f"exit {code}").returncode == code
    wait_until(lambda: not is_alive((tmp_path / "ssh").read_text()), "the tunnel's ssh has ended", 10)


def test_a_night_that_fails_leaves_the_cluster_for_its_logs(night: Night, tmp_path: Path) -> None:
    assert night(laketag="exit 6").returncode == 6
    assert calls(tmp_path)[-1].startswith("laketag submit")


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"dashboard": "echo ssh: connect timed out; exit 1"}, id="it ends"),
        pytest.param({"curl": "exit 7"}, id="nobody answers"),
    ],
)
def test_a_tunnel_that_does_not_come_ends_the_night_in_a_sentence(
    night: Night, tmp_path: Path, broken: dict[str, str]
) -> None:
    result = night(**broken)
    assert result.returncode == 1
    assert "no tunnel to the head's dashboard" in result.stderr
    assert not [call for call in calls(tmp_path) if not call.startswith("ray")]


def test_a_second_night_says_that_the_first_is_under_way(night: Night, tmp_path: Path) -> None:
    (tmp_path / ".laketag").mkdir()
    lock = tmp_path / ".laketag/nightly.lock"
    with subprocess.Popen(["flock", "--no-fork", lock, "sleep", "60"], start_new_session=True) as holder:
        wait_until(
            lambda: run_program("flock", "--nonblock", lock, "true").returncode, "the lock is held", 10
        )
        result = night()
        holder.terminate()
    assert result.returncode == 1
    assert "an earlier night is still running" in result.stderr
    assert calls(tmp_path) == []
