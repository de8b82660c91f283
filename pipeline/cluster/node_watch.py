"""Ending an execution whose nodes are gone for good."""

import time
from typing import TYPE_CHECKING

from laketag.pipeline.cluster.actor_shape import ActorShape, most_actors
from laketag.pipeline.cluster.nodes import NodesLostError, living_nodes

if TYPE_CHECKING:
    from ray.data._internal.execution.streaming_executor import StreamingExecutor

LOOK_EVERY_S = 5.0


class NodeWatch:
    """Callback of Ray Data (an ExecutionCallback): ends the execution when its label actors do not fit any more.

    Ray would wait for ever: an actor that it cannot place again keeps the blocks that it was given.
    """

    def __init__(self, shape: ActorShape, actors: int, patience_s: float) -> None:
        self._shape, self._actors, self._patience_s = shape, actors, patience_s
        self._looked_at_s = self._enough_at_s = time.monotonic()

    def on_execution_step(self, _executor: "StreamingExecutor") -> None:
        """Raises NodesLostError when the nodes have been too few for longer than the patience."""
        now = time.monotonic()
        if now < self._looked_at_s + LOOK_EVERY_S:
            return
        self._looked_at_s = now
        room = most_actors(living_nodes(), self._shape, self._actors)
        if room == self._actors:
            self._enough_at_s = now
        elif now > self._enough_at_s + self._patience_s:
            raise NodesLostError(
                f"the cluster has room for {room} of {self._actors} label actors, for {now - self._enough_at_s:.0f} s now"
            )

    def before_execution_starts(self, _executor: "StreamingExecutor") -> None:
        """Ray Data calls this and the next two; there is nothing to do."""

    def after_execution_succeeds(self, _executor: "StreamingExecutor") -> None: ...  # noqa: D102

    def after_execution_fails(self, _executor: "StreamingExecutor", _error: Exception) -> None: ...  # noqa: D102
