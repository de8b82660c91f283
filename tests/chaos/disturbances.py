"""What happens to a run in a round: drawn from the round's seed, and due when the run has come so far."""

import random
from collections.abc import Callable
from dataclasses import dataclass

STORES = ("moto", "ceph")
ROUNDS_PER_LAKE = 50
"""How many seeds in a row share their images, and with them the undisturbed table."""
KILLS = ("kill driver", "SIGTERM", "SIGINT", "kill actor", "kill workers", "kill node", "second driver")
IMAGES, TABLES = r"/images/", r"/lakes/"


@dataclass(frozen=True)
class Moment:
    """When the store has been asked for ``count`` different paths that match, counted over all drivers of the round."""

    method: str
    path: str
    count: int


@dataclass(frozen=True)
class Disturbance:
    """One kill, or one fault of the store that ``times`` requests meet."""

    kind: str
    at: Moment
    path: str = ""
    method: str = ""
    times: int = 1
    choice: float = 0.0
    """Which process or node of several, from 0 to 1; or which of several errors."""

    @property
    def is_kill(self) -> bool:
        """Whether processes are ended, and not answers changed."""
        return self.kind in KILLS


@dataclass(frozen=True)
class Round:
    """All that is decided about a round before it begins."""

    seed: int
    lake: int
    store: str
    disturbances: tuple[Disturbance, ...]
    actors: int
    """Label actors of the run; half of the nodes have none if it is one."""


def draw_round(seed: int, parts: int) -> Round:
    """The round of this seed, for a lake that is labelled in this number of parts."""
    rng = random.Random(seed)
    store = rng.choice(STORES)
    kills = [_draw_kill(rng, parts) for _ in range(rng.randint(1, 3))]
    faults = [rng.choice(FAULTS)(rng, parts) for _ in range(rng.randint(2, 5))]
    actors = rng.choice((1, 2))
    return Round(seed, seed // ROUNDS_PER_LAKE, store, (*kills, *faults), actors)


def _draw_kill(rng: random.Random, parts: int) -> Disturbance:
    kind = rng.choice(KILLS)
    moments = [_staged(rng, parts)] * 6
    if kind in ("kill driver", "SIGTERM", "SIGINT"):  # the others meet nothing there
        moments += [
            Moment("PUT", "/plan/", 1),
            Moment("PUT", "/labels/", 1),
            Moment("PUT", "/runs/", 1),
            Moment("PUT", "/leases/", 1),
            Moment("GET", "/descriptions/", 1),  # then the models are looked up
        ]
    return Disturbance(kind, rng.choice(moments), choice=rng.random())


def _staged(rng: random.Random, parts: int) -> Moment:
    """A random part is being staged, or the first image read."""
    count = rng.randrange(parts)
    return Moment("PUT", "/parts/", count) if count else Moment("GET", IMAGES, 1)


def _of_images(kind: str, most: int) -> Callable[[random.Random, int], Disturbance]:
    """Draws a fault, and how many reads of images meet it at most."""
    return lambda rng, parts: Disturbance(
        kind,
        Moment("GET", IMAGES, rng.randint(1, 6 * parts)),
        IMAGES,
        "GET",
        rng.randint(1, most),
        rng.random(),
    )


def _of_tables(kind: str, method: str, most: int) -> Callable[[random.Random, int], Disturbance]:
    """Draws a fault, and how many requests for the lake's own tables meet it at most; every fifth time five times as many."""

    def draw(rng: random.Random, parts: int) -> Disturbance:
        times = rng.randint(1, most) * rng.choice((1, 1, 1, 1, 5))
        return Disturbance(kind, _staged(rng, parts), TABLES, method, times, rng.random())

    return draw


FAULTS = (
    _of_images("503", 60),
    _of_images("reset", 40),
    _of_images("slow", 40),
    _of_images("truncate", 40),
    _of_images("stall", 8),
    _of_images("expired token", 150),
    _of_tables("503", "", 6),
    _of_tables("reset", "", 4),
    _of_tables("slow", "", 20),
    _of_tables("truncate", "GET", 3),
    _of_tables("lost acknowledgement", "PUT", 3),
)
