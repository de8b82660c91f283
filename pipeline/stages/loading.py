"""Loading models in an actor: an actor that cannot ends the run with the reason, and is not started for ever."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager

from laketag.pipeline.cluster.work_notes import WorkNotes
from laketag.pipeline.errors import ClusterError, LaketagError, ModelError

LOAD_DEATHS = 2
"""Times that an actor may die while it loads its models: its node may go meanwhile."""


def cannot_load(error: Exception, device: str) -> LaketagError:
    """The error as one that says where the models could not be loaded, and what to check."""
    return ModelError(
        f"an actor on {platform.node()} cannot load its models ({type(error).__name__}: {error}); check that this node "
        f"has the same packages as the driver, and that its {device} has memory left for them"
    )


@contextmanager
def noted(notes: WorkNotes) -> Iterator[None]:
    """The models are loaded inside; a ClusterError before it if this actor has died of that LOAD_DEATHS times.

    Ray starts an actor that dies in its constructor again, without limit.
    """
    import ray

    load = f"load/{ray.get_runtime_context().get_actor_id()}"
    if (before := notes.count(load)) >= LOAD_DEATHS:
        raise ClusterError(
            f"an actor on {platform.node()} died {LOAD_DEATHS} times while it loaded its models, without an error of Python; "
            "look for too little memory on this node, and in Ray's logs there for a crash of torch or of a driver"
        )
    notes.begin(load, "load", before)
    yield
    notes.end(load)
