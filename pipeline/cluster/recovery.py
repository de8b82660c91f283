"""Going on after Ray lost workers or nodes that it could not replace."""

import gc
import time
from collections.abc import Callable, Sized
from dataclasses import dataclass, field, replace
from typing import TypeVar

from laketag.pipeline.cluster.actor_shape import most_actors
from laketag.pipeline.cluster.nodes import NodesLostError, free_now, living_nodes
from laketag.pipeline.cluster.ray_errors import is_loss, log_loss
from laketag.pipeline.cluster.ray_runtime import RayRuntime
from laketag.pipeline.cluster.resources import Resources, decide_resources
from laketag.pipeline.cluster.shortfalls import describe_shortfalls
from laketag.pipeline.cluster.work_stop import WorkStop
from laketag.pipeline.config import RunSettings
from laketag.pipeline.errors import ClusterError
from laketag.pipeline.screen import Screen

RETURN_PATIENCE_S = 300.0
"""How long to wait while no label actor fits. Nodes that went together, as in a zone's outage, often return in minutes."""
LOOK_EVERY_S = 5.0

Rows = TypeVar("Rows", bound=Sized)


@dataclass(frozen=True)
class Recovery:
    """Repeats a piece of work after losses, each time with resources for what the cluster has then."""

    runtime: RayRuntime
    settings: RunSettings
    screen: Screen
    stop: WorkStop = field(default_factory=WorkStop)

    def run(
        self,
        pending: Rows,
        attempt: Callable[[Rows, Resources], None],
        find_pending: Callable[[], Rows],
    ) -> None:
        """Repeats the attempt until one ends without a loss; each works on what ``find_pending`` returns then.

        Raises WorkStoppedError once the stop is due, other errors at once, and a loss if that attempt finished no row. If
        nodes are missing (NodesLostError), it waits for them instead.
        """
        resources = decide_resources(self.runtime, self.settings, len(pending))
        self._print(self.runtime, resources)
        while len(pending):
            try:
                attempt(pending, resources)
                return
            except Exception as error:  # Ray wraps a loss in many types; other errors are raised again
                if not is_loss(error):
                    raise
                left = find_pending()
                if len(left) == len(pending) and not isinstance(error, NodesLostError):
                    raise
                self.screen.say(log_loss(error, self.runtime.log_file), "yellow")
            pending = left
            # Ray 2.60: the failed executor and its error are in a reference cycle (`exc = e` in StreamingExecutor.run), and
            # until that is collected its label actors keep their CPUs, GPUs and memory.
            gc.collect()
            now, resources = self._decide_again(len(pending), resources)
            self.screen.say(
                f"going on with the {len(pending):,} that are left, on what the cluster has now", "yellow"
            )
            self._print(now, resources)

    def _print(self, runtime: RayRuntime, resources: Resources) -> None:
        self.screen.detail(f"{resources}")
        for sentence in describe_shortfalls(runtime, self.settings, resources):
            self.screen.say(sentence, "yellow")

    def _decide_again(self, planned: int, before: Resources) -> tuple[RayRuntime, Resources]:
        """What the cluster has now, and resources for what is left.

        Raises ClusterError if no label actor fits for RETURN_PATIENCE_S.
        """
        end = time.monotonic() + RETURN_PATIENCE_S
        while True:
            self.stop.check()
            now = replace(self.runtime, nodes=living_nodes(), free=free_now())
            try:
                return now, decide_resources(now, self._settings_again(now, before), planned)
            except ClusterError:
                if time.monotonic() > end:
                    raise
            time.sleep(LOOK_EVERY_S)  # between two looks at what the cluster has

    def _settings_again(self, now: RayRuntime, before: Resources) -> RunSettings:
        """Keep the device (a table must not mix CPU and GPU labels), and at most the previous number of actors.

        If not a single actor of the previous size fits, the settings alone decide size and number.
        """
        fitting = most_actors(now.nodes, before.shape, before.actors)
        actors = before.actors if self.settings.autoscaling else fitting
        kept: dict[str, object] = {"device": before.device}
        if actors:
            kept |= {"actors": actors, "cpus_per_actor": before.cpus_per_actor}
        return self.settings.model_copy(update=kept)
