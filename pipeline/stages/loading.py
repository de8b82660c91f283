"""Models in an actor: an actor that cannot load or use them ends the run with the reason, and is not started for ever."""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from laketag.pipeline.cluster.work_notes import WorkNotes
from laketag.pipeline.errors import ClusterError, LaketagError, ModelError

T = TypeVar("T")

DEATHS = 2
"""Times that an actor may die of the same work: its node may go meanwhile."""


def cannot_load(error: Exception, device: str) -> LaketagError:
    """The error as one that says where the models could not be loaded, and what to check."""
    return ModelError(
        f"an actor on {platform.node()} cannot load its models ({type(error).__name__}: {error}); check that this node "
        f"has the same packages as the driver, and that its {device} has memory left for them"
    )


@contextmanager
def noted_load(notes: WorkNotes) -> Iterator[None]:
    """The models are loaded inside; a ClusterError before it if this actor has died of that DEATHS times.

    Ray starts an actor that dies in its constructor again, without limit.
    """
    import ray

    with noted(notes, f"load/{ray.get_runtime_context().get_actor_id()}", "loaded its models"):
        yield


@contextmanager
def noted(notes: WorkNotes, work: str, doing: str) -> Iterator[None]:
    """The work is done inside; a ClusterError before it if DEATHS processes have died of it. ``doing`` says what it is."""
    if (before := notes.count(work)) >= DEATHS:
        raise ClusterError(
            f"an actor on {platform.node()} died {DEATHS} times while it {doing}, without an error of Python; "
            "look for too little memory on this node, and in Ray's logs there for a crash of torch or of a driver"
        )
    notes.begin(work, "model", before)
    yield
    notes.end(work)


def try_to_load(load: Callable[[], T], device: str) -> T | LaketagError:
    """What was loaded; or the error, to be raised by the actor's call: Ray keeps only the text of a constructor's error."""
    try:
        return load()
    except LaketagError as error:
        return error
    except Exception as error:  # noqa: BLE001  # torch and the packages of models raise any
        return cannot_load(error, device)
