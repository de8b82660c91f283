"""A lake whose store holds some images back, so that a run lasts until the test lets it end, on a fast machine too."""

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
"""Images that the store serves at once: four blocks with the settings ``small_blocks``."""


@dataclass
class Held:
    """The lake, the options with which a run waits for the images held back, and the faults that hold them."""

    store: Store
    lake: str
    options: list[str]
    faults: list[Fault]

    def let_go(self) -> None:
        """The store serves the next group of the images that it holds back."""
        self.faults.pop(0).over = True

    def has_begun(self) -> bool:
        """Whether a run has staged three parts of the images that were served at once."""
        return len(staged_parts(self.store, self.lake)) >= 3


BEGUN = "three parts are staged"


@contextmanager
def hold_back(store: Store, described: Path, groups: tuple[int, ...] = (FREE,)) -> Iterator[Held]:
    """Many images, indexed and described. ``groups`` are the first images of the groups that are held back until ``let_go``."""
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
