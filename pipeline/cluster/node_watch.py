"""Nodes that are lost for good while a run goes on."""

import time
from typing import TYPE_CHECKING

from ray.data._internal.execution.execution_callback import ExecutionCallback

from laketag.pipeline.cluster.actor_shape import ActorShape, most_actors
from laketag.pipeline.cluster.nodes import NodesLostError, living_nodes

if TYPE_CHECKING:
    from ray.data._internal.execution.streaming_executor import StreamingExecutor

LOOK_EVERY_S = 5.0


class NodeWatch(ExecutionCallback):
    """Ends an execution whose label actors have no room any more, so that it begins again on what is left.

    Ray would wait for ever: an actor that it cannot place again holds the blocks that it was given.
    """

    def __init__(self, shape: ActorShape, actors: int, patience_s: float) -> None:
        self._shape, self._actors, self._patience_s = shape, actors, patience_s
        self._looked = self._enough = time.monotonic()

    def on_execution_step(self, executor: "StreamingExecutor") -> None:  # noqa: ARG002  # Ray Data names it
        """NodesLostError if the nodes have been too few for longer than the patience."""
        now = time.monotonic()
        if now < self._looked + LOOK_EVERY_S:
            return
        self._looked = now
        room = most_actors(living_nodes(), self._shape, self._actors)
        if room == self._actors:
            self._enough = now
        elif now > self._enough + self._patience_s:
            raise NodesLostError(
                f"the cluster has room for {room} of {self._actors} label actors, for {now - self._enough:.0f} s now"
            )
