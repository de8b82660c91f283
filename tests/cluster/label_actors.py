"""A cluster's label actors, as the processes that they are."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.cluster.ray_cluster import RayNode
from tests.end_to_end.command_line import wait_until
from tests.process_tree import Started, below

READY = re.compile(r"ray::MapWorker\(MapBatches\(LabelImages\)\)(?!\.__init__)")
"""Title of a label actor that has loaded its models."""
AT_WORK = re.compile(r"ray::MapWorker\(MapBatches\(LabelImages\)\)\.submit")


def label_actors(node: RayNode, title: re.Pattern[str] = READY) -> list[Started]:
    """The node's processes that are label actors in that state."""
    return [process for process in below(node.process.pid) if title.search(process.title)]


@dataclass
class Hold:
    """Label actors that work no further, so that the run cannot end before what a test waits for."""

    actors: Callable[[], Iterable[Started]]
    paused: set[Started] = field(default_factory=set)

    def until(self, happened: Callable[[], object], what: str) -> None:
        """It has happened, while actors that became ready meanwhile were held too."""
        wait_until(lambda: self.pause() or happened(), what)

    def pause(self) -> None:
        """Those that are found now do nothing."""
        for actor in set(self.actors()) - self.paused:
            actor.pause()
            self.paused.add(actor)


@contextmanager
def hold(actors: Callable[[], Iterable[Started]]) -> Iterator[Hold]:
    """Each of these actors works no further once a look has found it, as long as the context lasts."""
    held = Hold(actors)
    try:
        held.pause()
        yield held
    finally:
        for actor in held.paused:
            actor.go_on()
