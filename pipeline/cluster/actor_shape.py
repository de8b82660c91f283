"""The resources of one label actor, and how many such actors fit on a cluster."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from laketag.pipeline.cluster.nodes import GIB, Node, total

FETCH_CPUS = 0.25  # waits for the network; its work on a CPU is copying
# one thread; less than 1 because a laptop has few logical CPUs and the label actor needs its own
DECODE_CPUS = 0.5
WRITE_CPUS = 0.25  # milliseconds for a block
OTHER_CPUS = FETCH_CPUS + DECODE_CPUS + WRITE_CPUS
"""One task of each stage around the label actors; with less, no image gets through."""
EPSILON = 1e-6


@dataclass(frozen=True)
class ActorShape:
    """The resources that one label actor takes of a node."""

    cpus: float
    gpus: float
    memory_bytes: int = 0

    def __str__(self) -> str:
        memory = f" and {self.memory_bytes / GIB:g} GiB" if self.memory_bytes else ""
        return f"{self.cpus:g} CPU, {self.gpus:g} GPU{memory}"

    def fits(self, node: Node) -> int:
        """How many fit on the node; a fraction of a GPU never spans two GPUs."""
        limits = [fit(node.cpus, self.cpus)]
        if self.gpus:
            each_gpu = fit(1.0, self.gpus)
            limits.append(
                math.floor(node.gpus + EPSILON) * each_gpu if each_gpu else fit(node.gpus, self.gpus)
            )
        if self.memory_bytes:
            limits.append(fit(node.memory_bytes, self.memory_bytes))
        return min(limits)

    def fits_cluster(self, nodes: Sequence[Node]) -> int:
        """How many fit on all nodes together."""
        return sum(self.fits(node) for node in nodes)

    def cpus_left(self, nodes: Sequence[Node], actors: int) -> list[float]:
        """CPUs that each node has left when the actors fill one node after the other."""
        left = []
        for node in nodes:
            here = min(actors, self.fits(node))
            actors -= here
            left.append(node.cpus - here * self.cpus)
        return left


def find_lacking(nodes: tuple[Node, ...], shape: ActorShape, actors: int) -> list[str]:
    """What is too scarce for the actors and one task of each other stage; empty if everything fits."""
    has = total(nodes)
    wanted = {
        "CPU": (actors * shape.cpus + OTHER_CPUS, has.cpus),
        "GPU": (actors * shape.gpus, has.gpus),
        "GiB memory": (actors * shape.memory_bytes / GIB, has.memory_bytes / GIB),
    }
    lacking = [
        f"{need:g} {name} (it has {there:.3g})"
        for name, (need, there) in wanted.items()
        if need > there + EPSILON
    ]
    if lacking:
        return lacking
    if (room := shape.fits_cluster(nodes)) < actors:
        return [f"a node with {shape} free for each of them (it has room for {room})"]
    if (largest := max(shape.cpus_left(nodes, actors))) < DECODE_CPUS - EPSILON:
        return [f"{DECODE_CPUS:g} CPU on one node to decode with (it has {largest:.3g} left)"]
    return []


def most_actors(nodes: tuple[Node, ...], shape: ActorShape, wanted: int) -> int:
    """How many of the wanted actors fit beside one task of each other stage."""
    actors = min(wanted, shape.fits_cluster(nodes))
    while actors > 0 and find_lacking(nodes, shape, actors):
        actors -= 1
    return actors


def fit(amount: float, each: float) -> int:
    """How often the share fits into the amount, tolerating rounding errors."""
    return math.floor(amount / each + EPSILON)
