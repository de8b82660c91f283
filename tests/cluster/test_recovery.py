"""What happens to a piece of work after a loss: it goes on with the rest, or the loss is raised."""

import io
from collections.abc import Iterator

import pytest
from ray.exceptions import WorkerCrashedError
from rich.console import Console

from laketag.pipeline.cluster.nodes import NodesLostError
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.recovery import Recovery
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.config import RunSettings
from laketag.pipeline.screen import Screen


class Work:
    """Five rows, of which each attempt does some before it fails."""

    def __init__(self, *attempts: tuple[int, Exception]) -> None:
        self.pending = list(range(5))
        self.attempts = list(attempts)
        self.seen: list[int] = []
        self.devices: set[str] = set()

    def find_pending(self) -> list[int]:
        return list(self.pending)

    def attempt(self, rows: list[int], resources: Resources) -> None:
        self.seen.append(len(rows))
        self.devices.add(resources.device)
        if not self.attempts:
            self.pending.clear()
            return
        done, error = self.attempts.pop(0)
        del self.pending[:done]
        raise error


@pytest.fixture
def output(joined_ray: None) -> Iterator[tuple[Recovery, io.StringIO]]:
    """A recovery on the Ray that this process is connected to, and what it prints."""
    printed = io.StringIO()
    with ray_runtime() as runtime:
        screen = Screen(Console(file=printed, width=200), verbose=True)
        yield Recovery(runtime, RunSettings(device="cpu"), screen), printed


def run(recovery: Recovery, work: Work) -> None:
    recovery.run(work.find_pending(), work.attempt, work.find_pending)


def test_after_a_loss_the_work_goes_on_with_what_is_left(output: tuple[Recovery, io.StringIO]) -> None:
    recovery, printed = output
    work = Work((2, WorkerCrashedError()), (1, WorkerCrashedError()))
    run(recovery, work)
    assert work.seen == [5, 3, 2]
    assert work.devices == {"cpu"}
    assert "going on with the 2 that are left" in printed.getvalue()
    assert printed.getvalue().count("label actor(s) on cpu") == 3


def test_missing_nodes_are_waited_for_even_if_nothing_was_done(output: tuple[Recovery, io.StringIO]) -> None:
    work = Work((0, NodesLostError("too few")))
    run(output[0], work)
    assert work.seen == [5, 5]


@pytest.mark.parametrize(
    ("done", "error"),
    [(0, WorkerCrashedError()), (2, ValueError("a mistake"))],
    ids=["no progress", "no loss"],
)
def test_a_loss_without_progress_and_what_is_no_loss_are_raised(
    output: tuple[Recovery, io.StringIO], done: int, error: Exception
) -> None:
    work = Work((done, error))
    with pytest.raises(type(error)):
        run(output[0], work)
    assert work.seen == [5]
