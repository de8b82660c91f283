"""What the connected Ray cluster has in all, and what is free now."""

from dataclasses import dataclass

GIB = 2**30


class NodesLostError(Exception):
    """Too few nodes are left for the label actors of a run; the next attempt uses what is left."""


@dataclass(frozen=True)
class Node:
    """The resources of a living node, or the sum of several, in Ray's logical units."""

    cpus: float = 0.0
    gpus: float = 0.0
    memory_bytes: float = 0.0

    def __str__(self) -> str:
        memory = f", {self.memory_bytes / GIB:.3g} GiB memory" if self.memory_bytes else ""
        return f"{self.cpus:g} CPU, {self.gpus:g} GPU{memory}"


def living_nodes() -> tuple[Node, ...]:
    """The nodes of the connected cluster; one that was lost seconds ago may still be among them."""
    import ray

    return tuple(_node(node["Resources"]) for node in ray.nodes() if node["Alive"])  # type: ignore[no-untyped-call]  # untyped in Ray


def free_now() -> Node:
    """The sum over all nodes of what no task or actor of any job holds."""
    import ray

    return _node(ray.available_resources())  # type: ignore[no-untyped-call]  # untyped in Ray


def total(nodes: tuple[Node, ...]) -> Node:
    """The sum of the nodes."""
    return Node(
        sum(node.cpus for node in nodes),
        sum(node.gpus for node in nodes),
        sum(node.memory_bytes for node in nodes),
    )


def _node(offer: dict[str, float]) -> Node:
    return Node(offer.get("CPU", 0.0), offer.get("GPU", 0.0), offer.get("memory", 0.0))
