"""Errors that Ray raises, as errors of this project.

Ray wraps the exception of a task in a RayTaskError, keeps only the text of one raised in an actor's constructor, and reports
a lost process as one of a dozen classes. The command line shows one sentence; the trace is in the log.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from laketag.pipeline.cluster.nodes import NodesLostError
from laketag.pipeline.cluster.ray_files import ray_folder
from laketag.pipeline.errors import ClusterError, LaketagError, StorageError
from laketag.pipeline.store.errors import DISK_FULL, describe_full_disk

ADVICE = "\nFailed to "
"""Begins what Ray Data 2.60 appends to the message of an error in a stage: how often it has tried, and its own settings."""


@contextmanager
def ray_errors(log_file: Path) -> Iterator[None]:
    """An error of Ray inside is raised as the LaketagError that a task raised, or as one that names the log."""
    import ray.exceptions
    from ray.data.exceptions import ExecutionTimeoutError, SystemException

    try:
        yield
    except (ray.exceptions.RayError, ExecutionTimeoutError, SystemException, NodesLostError) as error:
        raise translate(error, log_file) from None
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise translate(error, log_file) from None  # Ray wrote a file for this process


def translate(error: BaseException, log_file: Path) -> LaketagError:
    """The LaketagError that the error wraps, or else one with a sentence about it; the trace is appended to the log."""
    from ray.data.exceptions import ExecutionTimeoutError

    known = next((inner for inner in chain(error) if _is_ours(inner)), None)
    if isinstance(known, LaketagError):
        known.args = (str(known).partition(ADVICE)[0],)
        return known
    _append_trace(error, log_file)
    if full := _describe_full_disk(error):
        return StorageError(
            f"{full}; free space there, and run the same command again. Ray's own log: {log_file}"
        )
    if any(isinstance(inner, ExecutionTimeoutError) for inner in chain(error)):
        return ClusterError(
            "no block was finished for run.stall_s: label actors wait for nodes or for resources that other jobs hold, or one "
            "block takes longer. Run the same command again when the cluster has room, with a larger "
            f"run.stall_s, or with a smaller run.rows_per_block. Ray's own log: {log_file}"
        )
    if is_loss(error):
        return ClusterError(
            f"{_describe_loss(error)}; run the same command again, with fewer or smaller actors where memory ran out. "
            f"Ray's own log: {log_file}"
        )
    return LaketagError(
        f"laketag failed inside Ray with {_last_line(error)}; this is a bug of laketag or of a library, or the nodes are set "
        f"up wrongly. The trace is in {log_file}"
    )


def log_loss(error: BaseException, log_file: Path) -> str:
    """One sentence about a loss after which the work goes on; the whole trace is appended to the log."""
    _append_trace(error, log_file)
    return _describe_loss(error)


def is_loss(error: BaseException) -> bool:
    """Whether a process, a node or an object was lost, or nothing moved: another attempt on what is left may succeed."""
    import ray.exceptions as known
    from ray.data.exceptions import ExecutionTimeoutError

    losses = (
        known.LocalRayletDiedError,
        known.WorkerCrashedError,
        known.RayActorError,
        known.RaySystemError,
        known.OutOfMemoryError,
        known.NodeDiedError,
        known.ObjectLostError,
        ExecutionTimeoutError,
        NodesLostError,
    )
    return any(
        isinstance(inner, losses)
        and not getattr(inner, "actor_init_failed", False)
        and not isinstance(
            getattr(inner, "client_exc", None), ImportError
        )  # a value that cannot be unpickled on a worker
        for inner in chain(error)
    )


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, including Ray's own attribute ``cause``, outermost first."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        inner = waiting.pop(0)
        if not isinstance(inner, BaseException) or id(inner) in seen:
            continue
        seen.add(id(inner))
        yield inner
        waiting += [getattr(inner, "cause", None), inner.__cause__]


def _is_ours(error: BaseException) -> bool:
    """Whether this is a LaketagError itself; Ray also makes a class of both, whose message is a trace."""
    import ray.exceptions

    return isinstance(error, LaketagError) and not isinstance(error, ray.exceptions.RayError)


def _describe_loss(error: BaseException) -> str:
    return f"Ray lost a worker or a node and could not make up for it ({_last_line(error)})"


def _describe_full_disk(error: BaseException) -> str | None:
    """Which disk was full, if one was: that to which Ray spills blocks, or that of a file in the error."""
    from ray.exceptions import ObjectStoreFullError, OutOfDiskError

    for inner in chain(error):
        if isinstance(inner, (OutOfDiskError, ObjectStoreFullError)):
            return (
                "Ray has no room for blocks on a node: its memory for them is full, and so is the disk to which it spills them, "
                f"in {ray_folder()} or in the folder that RAY_TMPDIR or `ray start --temp-dir` names there"
            )
        if isinstance(inner, OSError) and inner.errno in DISK_FULL:
            return describe_full_disk(inner, str(ray_folder()))
    return None


def _append_trace(error: BaseException, log_file: Path) -> None:
    with suppress(OSError), log_file.open("a", encoding="utf-8") as log:  # its disk may be full
        log.write("".join(traceback.format_exception(error)))


def _last_line(error: BaseException) -> str:
    """The message of the innermost error that has one, in one line."""
    innermost = [inner for inner in chain(error) if str(inner).strip()][-1:] or [error]
    lines = [line.strip() for line in str(innermost[0]).splitlines() if line.strip()]
    failed_to_start = getattr(innermost[0], "actor_init_failed", False)  # its message is a trace
    said = (lines[-1] if failed_to_start else lines[0]) if lines else ""
    return f"{type(innermost[0]).__name__}: {said}".rstrip(": ")[:400]
