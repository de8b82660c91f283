"""Getting a batch done although one of its images kills the process that works on it.

The process notes the batch in Ray's control store before it begins. If it dies, Ray gives the batch to another process, which
finds the note, works on one image after another, and notes each. Those that follow leave out the image that the note of a
dead process names, so each image costs a batch a known number of processes (docs/decisions/0030-poison.md).
"""

import hashlib
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from laketag.pipeline.cluster.work_notes import WorkNotes
from laketag.pipeline.errors import ClusterError
from laketag.pipeline.images.image_failure import ImageFailure

IMAGE = "image/"
"""Notes about single images begin with this."""


CONTROL_DEATHS = 2
"""Processes that may die of the control; one of them may have been on a node that went."""


@dataclass(frozen=True)
class DeathWatch:
    """Whose notes count, and when an image is given up."""

    notes: WorkNotes
    deaths: int
    """Processes that have to die while the image is the only one in their batch, before it is given up."""


@dataclass(frozen=True)
class Stage:
    """What a stage does with a batch."""

    done: str
    """What happens to an image: fetched, decoded or labelled."""
    work: Callable[[pa.Table], Iterator[pa.Table]]
    give_up: Callable[[pa.Table, ImageFailure], pa.Table]
    """The rows as ``work`` would give them out, with this failure."""
    control: Callable[[], object]
    """Does the same with a picture that is sound. A process that dies of it dies of no image's fault."""


def work_through(batch: pa.Table, stage: Stage, watch: DeathWatch | None) -> Iterator[pa.Table]:
    """What the stage makes of the batch, or, after a process has died of it, of one image after another.

    Images of which processes have died alone are given up instead; a ClusterError if processes die of the control. Without a
    watch nothing is noted.
    """
    if watch is None or not batch.num_rows:
        yield from stage.work(batch)
        return
    try:
        yield from _work_noted(batch, stage, watch)
    except MemoryError as error:  # as good as dead: Ray runs the task again only for this error of its own
        from ray.exceptions import RaySystemError

        raise RaySystemError(error) from error  # type: ignore[no-untyped-call]  # Ray types few of its errors


def _work_noted(batch: pa.Table, stage: Stage, watch: DeathWatch) -> Iterator[pa.Table]:
    notes, ids = watch.notes, batch["image_id"].to_pylist()
    of_batch = f"batch/{stage.done}/{hashlib.blake2b(repr(ids).encode(), digest_size=16).hexdigest()}"
    if len(ids) > 1 and notes.count(of_batch) == 0:
        notes.begin(of_batch, stage.done)
        yield from stage.work(batch)
        notes.end(of_batch)
        return
    _try_control(f"control/{of_batch}", stage, notes)
    for row, image_id in enumerate(ids):
        one, note = batch.slice(row, 1), IMAGE + image_id
        if (before := notes.count(note)) >= watch.deaths:
            yield stage.give_up(one, poison(watch.deaths, stage.done))
            continue
        notes.begin(note, stage.done, before)
        yield from stage.work(one)
        notes.end(note)
    notes.end(of_batch)


def _try_control(note: str, stage: Stage, notes: WorkNotes) -> None:
    if (before := notes.count(note)) >= CONTROL_DEATHS:
        raise ClusterError(
            f"processes on {platform.node()} die of any picture that is {stage.done}, also of a plain one that belongs to "
            "laketag; look for too little memory there, and in Ray's logs for a crash of a library or driver"
        )
    notes.begin(note, stage.done, before)
    stage.control()
    notes.end(note)


def poison(deaths: int, done: str, last: str = "") -> ImageFailure:
    """The failure of an image that was given up; ``last`` is how the last of the processes died, if that is known."""
    return ImageFailure(
        "poison",
        f"{deaths} processes died, or had no memory left, while it was {done} alone{f'; the last: {last}' if last else ''}",
    )


def with_failure(batch: pa.Table, failure: ImageFailure) -> pa.Table:
    """The rows, which have the columns of a failure, with this one."""
    for name, value in (("failure", failure.reason), ("failure_detail", failure.detail)):
        column = pa.array([value] * batch.num_rows, pa.string())
        batch = batch.set_column(batch.schema.get_field_index(name), name, column)
    return batch
