"""A lake whose store holds images back: a run over it ends when a test lets it, however quick the machine is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.lakes import index_named, many_images, put_all, put_described
from tests.stores.fault_proxy import Fault, serve_faults
from tests.stores.store import Store


@dataclass
class Held:
    """The lake's URL, the options with which a run waits for what is held back, and what holds it."""

    lake: str
    options: list[str]
    faults: list[Fault]

    def let_go(self) -> None:
        """The store gives the next group of the images that it holds back."""
        self.faults.pop(0).over = True


@contextmanager
def hold_back(store: Store, described: Path, names: tuple[str, ...] = (r"0[3-9]\d|1\d\d",)) -> Iterator[Held]:
    """Many images, indexed and described; those with such names are not given before ``let_go``, one pattern a call."""
    images = many_images()
    put_all(store, images)
    lake = store.url("lake")
    index_named(store, lake, images)
    put_described(store, lake, described)
    with serve_faults(store.env["AWS_ENDPOINT_URL"]) as proxy:
        faults = [proxy.add(Fault("hold", path=rf"many/({name})\.png", method="GET")) for name in names]
        options = (f"storage.endpoint_url={proxy.url}", "fetch.deadline_s=600", "run.fetch_slots=2")
        held = Held(lake, [word for option in options for word in ("-o", option)], faults)
        try:
            yield held
        finally:
            while held.faults:
                held.let_go()
