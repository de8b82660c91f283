"""A word before Ray is started or joined, and none where the process is connected already."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from laketag.pipeline.cluster.ray_wait import say_ray_starts
from laketag.pipeline.screen import Screen
from tests.end_to_end.command_line import PROJECT, command_env

ELSEWHERE = "import ray\nfrom tests.cluster.test_ray_wait import said\nprint(said(), end='')"


def said() -> str:
    out = io.StringIO()
    say_ray_starts(Screen(Console(file=out)))
    return out.getvalue()


@pytest.mark.parametrize(
    ("env", "announced"),
    [
        ({}, "starting Ray …\n"),
        ({"RAY_ADDRESS": "10.0.0.1:6379"}, "connecting to Ray at 10.0.0.1:6379 …\n"),
    ],
    ids=["start", "connection"],
)
def test_a_start_and_a_connection_are_announced(env: dict[str, str], announced: str) -> None:
    """In a process of its own: this one may be connected to the Ray that tests share."""
    command = [sys.executable, "-c", ELSEWHERE]
    done = subprocess.run(
        command, cwd=PROJECT, env=command_env(env), capture_output=True, text=True, check=True
    )
    assert done.stdout == announced


@pytest.mark.usefixtures("joined_ray")
def test_a_ray_that_is_joined_already_is_not_announced() -> None:
    assert said() == ""
