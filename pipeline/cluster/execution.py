"""Running a Ray Data dataset on the driver: how long it may wait, and that it has ended when it is left."""

import logging
import threading
import time
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

from laketag.pipeline.cluster.node_watch import NodeWatch
from laketag.pipeline.cluster.resources import Resources
from laketag.pipeline.cluster.work_stop import StopWatch, WorkStop
from laketag.pipeline.config import RunSettings
from laketag.pipeline.store.background import first_done, in_background

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import DataContext, Dataset

NO_DOWNSCALING = -1.0
"""A pool shrinks when its utilisation falls to this. With Ray Data's own 0.5 it dropped actors while the first blocks
arrived or decoding fell behind for a moment, and loading an actor's models again takes longer than such a moment.
When all blocks are given out, idle actors are removed at once; that does not depend on this number."""
NO_TIMEOUT = -1
DATA_THREADS = ("StreamingExecutor", "iter_threaded", "ray-data-metadata-prefetch")
"""How the threads that run a dataset on the driver are called in Ray Data 2.60."""
DATA_PATIENCE_S = 20.0
"""How long to wait for all of them together; less than the time that a stopped job is given to end."""


def bound_waiting(
    context: "DataContext", resources: Resources, settings: RunSettings, stop: WorkStop
) -> None:
    """The dataset's execution keeps its actors while there is work, and ends if what it waits for will not come.

    On a cluster that adds nodes on demand it waits for them until the stop is due.
    """
    callbacks = stop_at_deadline(context, stop)
    context.autoscaling_config.actor_pool_util_downscaling_threshold = NO_DOWNSCALING
    if resources.autoscaling:
        context.execution_no_progress_timeout_s = NO_TIMEOUT
        return
    context.execution_no_progress_timeout_s = settings.stall_s
    callbacks.append(partial(NodeWatch, resources.shape, resources.actors, settings.missing_nodes_s))


def stop_at_deadline(context: "DataContext", stop: WorkStop) -> list[object]:
    """The dataset's execution ends with WorkStoppedError once the stop is due; returns its callbacks, for more of them."""
    callbacks: list[object] = [partial(StopWatch, stop)]
    context.custom_execution_callback_classes = callbacks  # type: ignore[assignment]  # Ray Data only calls them
    return callbacks


@contextmanager
def retries_allowed() -> Iterator[None]:
    """Datasets that are built inside may state how often Ray tries again: Ray Data 2.60 has no named parameter for it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        yield


@contextmanager
def open_blocks(dataset: "Dataset", stop: WorkStop | None = None) -> Iterator[Iterator["pa.Table"]]:
    """The dataset's blocks as they come; on leaving, also early, no thread of Ray Data uses Ray any more.

    A thread of Ray Data that calls Ray after ray.shutdown() ends the whole process with exit code 1 and no message.
    With the stop that the dataset is bound to, a KeyboardInterrupt asks for it, and is raised once it has ended the execution.
    """
    blocks = dataset.iter_batches(batch_format="pyarrow", batch_size=None, prefetch_batches=0)
    running = cast("Generator[pa.Table, None, None]", iter(blocks))
    try:
        yield running if stop is None else _until_stopped(running, stop)
    finally:
        try:
            running.close()  # ends the execution now, not when the garbage collector finds it
        finally:
            _join_data_threads()


def _until_stopped(running: Iterator["pa.Table"], stop: WorkStop) -> Iterator["pa.Table"]:
    """The same blocks, and after an interrupt those that were finished; read in other threads, which no signal interrupts."""
    end = object()
    interrupt: KeyboardInterrupt | None = None
    while True:
        future = in_background(lambda: next(running, end))
        while not future.done():
            try:
                first_done([future])
            except KeyboardInterrupt as signal:
                interrupt, stop.asked = signal, True
        if interrupt and (future.exception() or future.result() is end):
            raise interrupt
        if (block := future.result()) is end:
            return
        yield cast("pa.Table", block)


def _join_data_threads() -> None:
    """Ray Data's threads have ended; the log names one that did not within DATA_PATIENCE_S."""
    end = time.monotonic() + DATA_PATIENCE_S
    for thread in threading.enumerate():
        if thread.name.startswith(DATA_THREADS):
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                logging.getLogger("ray.data").warning("%s still runs; Ray may end the process", thread.name)
