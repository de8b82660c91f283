"""The processes of label actors, found by their titles, and stopped while they are at work."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.end_to_end.command_line import Following
from tests.process_tree import Started, below

LABEL_ACTOR = re.compile(r"ray::MapWorker\(MapBatches\(LabelImages\)\)")
READY = re.compile(LABEL_ACTOR.pattern + r"(?!\.__init__)")
"""Title of a label actor that has loaded its models."""
AT_WORK = re.compile(LABEL_ACTOR.pattern + r"\.submit")
"""Title of a label actor while it labels a batch."""
SWEEP_S = 0.2
GLANCE_S = 0.002
"""Far less than a batch takes."""


def label_actors(pid: int, title: re.Pattern[str] = READY) -> list[Started]:
    """The processes below this one that are label actors in that state."""
    return [process for process in below(pid) if title.search(process.title)]


@dataclass
class Hold:
    """Label actors of a run that were stopped in the middle of a batch, which stays in flight."""

    run: Following
    pids: tuple[int, ...]
    stopped: set[Started] = field(default_factory=set)

    def until(self, happened: Callable[[], object], what: str) -> None:
        """It has happened; actors that began a batch in the meantime were stopped too."""

        def look() -> object:
            self._sweep()
            return happened()

        self.run.until(look, what, pause_s=0.0)  # a sweep takes long enough

    def until_stopped(self, pid: int) -> None:
        """A label actor below this process is stopped."""
        self.until(lambda: self.stopped & set(below(pid)), "a label actor is at work")

    def _sweep(self) -> None:
        """Watch the titles of all label actors for a while, closely, and stop those at work."""
        watched = {actor for pid in self.pids for actor in label_actors(pid, LABEL_ACTOR)}
        end = time.monotonic() + SWEEP_S
        while time.monotonic() < end:
            for actor in watched - self.stopped:
                if AT_WORK.search(actor.title):
                    actor.pause()
                    if AT_WORK.search(actor.title):
                        self.stopped.add(actor)
                    else:  # it has finished its batch in the meantime
                        actor.go_on()
            time.sleep(GLANCE_S)


@contextmanager
def hold_at_work(run: Following, *pids: int) -> Iterator[Hold]:
    """Stops each label actor below these processes while it labels a batch; at the end those that still live go on."""
    held = Hold(run, pids)
    try:
        yield held
    finally:
        for actor in held.stopped:
            actor.go_on()
