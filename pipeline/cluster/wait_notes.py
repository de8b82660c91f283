"""What the workers of a run wait for, such as a store that is away: noted in Ray's control store, and shown by the driver."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from laketag.pipeline.cluster.work_notes import WorkNotes

if TYPE_CHECKING:
    from ray.data import DataContext
    from ray.data._internal.execution.streaming_executor import StreamingExecutor

WAITING = "waiting/"
POLL_S = 1.0
WAITS = logging.getLogger("laketag")
"""Gets a warning when something is waited for, with what it is and how long at most."""
Stage = Callable[[pa.Table], pa.Table | Iterator[pa.Table]]


def noting_waits(batch: pa.Table, *, stage: Stage, notes: WorkNotes) -> Iterator[pa.Table]:
    """What the stage makes of the batch; what it waits for is noted until it has made it."""
    handler = _Noting(notes)
    WAITS.addHandler(handler)
    try:
        made = stage(batch)
        yield from [made] if isinstance(made, pa.Table) else made
    finally:
        WAITS.removeHandler(handler)
        handler.clear()


class _Noting(logging.Handler):
    """Notes the newest warning of this process."""

    def __init__(self, notes: WorkNotes) -> None:
        super().__init__(logging.WARNING)
        self._notes = notes
        self._has_noted = False

    def emit(self, record: logging.LogRecord) -> None:
        import ray

        self._worker = WAITING + ray.get_runtime_context().get_worker_id()
        self._notes.write(self._worker, record.getMessage())
        self._has_noted = True

    def clear(self) -> None:
        """Nothing is waited for any more."""
        if self._has_noted:
            self._notes.end(self._worker)


def show_waits(context: "DataContext", notes: WorkNotes, show: Callable[[str], object]) -> None:
    """While the dataset runs, ``show`` gets each sentence once that says what workers wait for, as long as any waits for it."""
    watch = _WaitWatch(notes, show)
    callbacks: list[object] = [*context.custom_execution_callback_classes, watch]
    context.custom_execution_callback_classes = callbacks  # type: ignore[assignment]  # Ray Data only calls them


class _WaitWatch:
    """Callback of Ray Data (an ExecutionCallback), which is called many times a second, also while no block comes."""

    def __init__(self, notes: WorkNotes, show: Callable[[str], object]) -> None:
        self._notes, self._show = notes, show
        self._shown: set[str] = set()
        self._next_s = 0.0

    def __call__(self) -> "_WaitWatch":
        """Itself: Ray Data makes a callback of what it takes for a class."""
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> "_WaitWatch":
        """The same one, as Ray Data copies the context that it is in."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Without what it shows to: Ray Data sends the context to its workers, where nobody looks."""
        return _WaitWatch, (self._notes, str)

    def on_execution_step(self, _executor: "StreamingExecutor") -> None:
        """What workers have begun to wait for is shown."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + POLL_S
        waits = {self._notes.read_text(WAITING + worker) for worker in self._notes.list_begun(WAITING)}
        for wait in sorted(filter(None, waits - self._shown)):
            self._show(f"workers wait: {wait}")
        self._shown = {wait for wait in waits if wait}

    def before_execution_starts(self, _executor: "StreamingExecutor") -> None:
        """Ray Data calls this and the next two; there is nothing to do."""

    def after_execution_succeeds(self, _executor: "StreamingExecutor") -> None: ...

    def after_execution_fails(self, _executor: "StreamingExecutor", _error: Exception) -> None: ...
