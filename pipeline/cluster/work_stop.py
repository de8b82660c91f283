"""When a call takes no more work: from a deadline on, or once it is asked to stop."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.data._internal.execution.streaming_executor import StreamingExecutor


DRAIN_S = 3.0
"""How long a stop waits for blocks that are labelled to be staged; less than a signal leaves to a command."""


class WorkStoppedError(Exception):
    """No more work is taken. What is staged is kept; the code that catches this decides what becomes of it."""


@dataclass
class WorkStop:
    """Whether to take more work. Set ``asked`` from any thread or signal handler to stop at once."""

    deadline_s: float | None = None
    """A time of time.monotonic()."""
    asked: bool = False

    @classmethod
    def after(cls, hours: float | None) -> "WorkStop":
        """A stop whose deadline is this number of hours from now; without a number it has no deadline."""
        return cls(None if hours is None else time.monotonic() + hours * 3600)

    def __deepcopy__(self, _memo: dict[int, Any]) -> "WorkStop":
        """The same one, as Ray Data copies the context that it is in."""
        return self

    @property
    def is_due(self) -> bool:
        """Whether no more work is to be taken."""
        return self.asked or (self.deadline_s is not None and time.monotonic() >= self.deadline_s)

    def at_most(self, seconds: float) -> float:
        """The seconds, or those that are left until the deadline if they are fewer."""
        return (
            seconds if self.deadline_s is None else max(0.0, min(seconds, self.deadline_s - time.monotonic()))
        )

    def check(self) -> None:
        """More work may be taken; otherwise WorkStoppedError."""
        if self.is_due:
            raise WorkStoppedError


class StopWatch:
    """Callback of Ray Data (an ExecutionCallback): ends the execution once its stop is due and what is finished is written.

    It is called many times a second, also while no block comes. What the last stage but one has returned by then goes
    through the last one, for DRAIN_S at most. What tasks hold at that moment is done again by the next call: at most a block
    of each task and label actor.
    """

    def __init__(self, stop: WorkStop) -> None:
        self._stop = stop
        self._blocks = 0
        self._end_s: float | None = None

    def on_execution_step(self, executor: "StreamingExecutor") -> None:
        """Raises WorkStoppedError if the stop is due and the last stage has done its part; the reader of the dataset gets it."""
        if not self._stop.is_due:
            return
        *_, finished, written = executor._topology or {}  # no public way to a stage's counters
        if self._end_s is None:
            self._end_s = time.monotonic() + DRAIN_S
            self._blocks = finished.metrics.num_task_outputs_generated
        if written.metrics.num_task_inputs_processed >= self._blocks or time.monotonic() >= self._end_s:
            raise WorkStoppedError

    def before_execution_starts(self, _executor: "StreamingExecutor") -> None:
        """Ray Data calls this and the next two; there is nothing to do."""

    def after_execution_succeeds(self, _executor: "StreamingExecutor") -> None: ...  # noqa: D102

    def after_execution_fails(self, _executor: "StreamingExecutor", _error: Exception) -> None: ...  # noqa: D102
