"""A lake whose store holds images back: a run over it ends when a test lets it, however quick the machine is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.end_to_end.command_line import overrides
from tests.end_to_end.lakes import MANY, index_named, many_images, put_all, put_described, staged_parts
from tests.stores.fault_proxy import Fault, serve_faults
from tests.stores.store import Store

FREE = 16
"""Images that are given at once: four blocks of small_blocks."""


@dataclass
class Held:
    """The lake, the options with which a run waits for what is held back, and what holds it."""

    store: Store
    lake: str
    options: list[str]
    faults: list[Fault]

    def let_go(self) -> None:
        """The store gives the next group of the images that it holds back."""
        self.faults.pop(0).over = True

    def has_begun(self) -> bool:
        """Whether a run has staged parts of what it was given at once."""
        return len(staged_parts(self.store, self.lake)) >= 3


BEGUN = "three parts are staged"


@contextmanager
def hold_back(store: Store, described: Path, groups: tuple[int, ...] = (FREE,)) -> Iterator[Held]:
    """Many images, indexed and described; those of a group, named by its first image, are given after a ``let_go``."""
    images = many_images()
    put_all(store, images)
    lake = store.url("lake")
    index_named(store, lake, images)
    put_described(store, lake, described)
    with serve_faults(store.env["AWS_ENDPOINT_URL"]) as proxy:
        faults = []
        for first, end in pairwise((*groups, MANY)):
            names = "|".join(f"{number:03}" for number in range(first, end))
            faults.append(proxy.add(Fault("hold", path=rf"many/({names})\.png", method="GET")))
        waiting = overrides(f"storage.endpoint_url={proxy.url}", "fetch.deadline_s=600", "run.fetch_slots=2")
        held = Held(store, lake, waiting, faults)
        try:
            yield held
        finally:
            while held.faults:
                held.let_go()
