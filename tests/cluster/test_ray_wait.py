"""A word before Ray is started or joined, and none where the process is connected already."""

import io

import pytest
from rich.console import Console

from laketag.pipeline.cluster.ray_wait import say_ray_starts
from laketag.pipeline.screen import Screen


def said() -> str:
    out = io.StringIO()
    say_ray_starts(Screen(Console(file=out)))
    return out.getvalue()


@pytest.mark.usefixtures("without_ray")
def test_a_start_and_a_connection_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert said() == "starting Ray …\n"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert said() == "connecting to Ray at 10.0.0.1:6379 …\n"


@pytest.mark.usefixtures("joined_ray")
def test_a_ray_that_is_joined_already_is_not_announced() -> None:
    assert said() == ""
