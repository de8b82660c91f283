"""Label actors, as the processes that they are."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.end_to_end.command_line import Following
from tests.process_tree import Started, below

READY = re.compile(r"ray::MapWorker\(MapBatches\(LabelImages\)\)(?!\.__init__)")
"""Title of a label actor that has loaded its models."""
AT_WORK = re.compile(r"ray::MapWorker\(MapBatches\(LabelImages\)\)\.submit")


def label_actors(pid: int, title: re.Pattern[str] = READY) -> list[Started]:
    """The processes below this one that are label actors in that state."""
    return [process for process in below(pid) if title.search(process.title)]


@dataclass
class Hold:
    """Label actors of a run that are stopped in the midst of a batch, which stays in flight."""

    run: Following
    pid: int
    actors: set[Started] = field(default_factory=set)

    def until(self, happened: Callable[[], object], what: str) -> None:
        """It has happened, while actors that came to work meanwhile were held too."""
        self.run.until(lambda: self._catch() or happened(), what)

    def until_caught(self, number: int) -> None:
        """So many label actors are held."""
        self.until(lambda: len(self.actors) >= number, f"{number} label actors are at work")

    def _catch(self) -> None:
        for actor in set(label_actors(self.pid, AT_WORK)) - self.actors:
            actor.pause()
            if AT_WORK.search(actor.title):
                self.actors.add(actor)
            else:  # it had finished its batch meanwhile
                actor.go_on()


@contextmanager
def hold_at_work(run: Following, pid: int) -> Iterator[Hold]:
    """Each label actor below this process works no further once a look has found it at work; at the end those that live go on."""
    held = Hold(run, pid)
    try:
        yield held
    finally:
        for actor in held.actors:
            actor.go_on()
