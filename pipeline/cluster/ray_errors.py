"""What failed inside Ray, as an error of this project.

An exception of a task arrives as a RayTaskError around it, one of an actor's constructor only as text, a lost process as
one of a dozen classes. The command line shows one sentence; the trace is in the log.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from laketag.pipeline.cluster.nodes import NodesLostError
from laketag.pipeline.errors import ClusterError, LaketagError


@contextmanager
def ray_errors(log_file: Path) -> Iterator[None]:
    """What Ray raises inside comes out as the LaketagError of a task, or as a ClusterError that names the log."""
    import ray.exceptions
    from ray.data.exceptions import ExecutionTimeoutError, SystemException

    try:
        yield
    except (ray.exceptions.RayError, ExecutionTimeoutError, SystemException, NodesLostError) as error:
        raise translate(error, log_file) from None


def translate(error: BaseException, log_file: Path) -> LaketagError:
    """The LaketagError inside the error, or one sentence about it; the whole trace is appended to the log."""
    from ray.data.exceptions import ExecutionTimeoutError

    known = next((inner for inner in chain(error) if _is_ours(inner)), None)
    if isinstance(known, LaketagError):
        return known
    _append_trace(error, log_file)
    if any(isinstance(inner, ExecutionTimeoutError) for inner in chain(error)):
        return ClusterError(
            "nothing has moved for run.stall_s; label actors wait for nodes or for what other jobs hold, or one block takes "
            "longer. What was done is kept: run the same command again, once there is room, with a larger run.stall_s, or "
            f"with a smaller run.rows_per_block. Ray's own log: {log_file}"
        )
    if is_loss(error):
        return ClusterError(
            f"{_describe_loss(error)}; what was done is kept: "
            f"run the same command again, with fewer or smaller actors where memory ran out. Ray's own log: {log_file}"
        )
    return LaketagError(
        f"laketag failed inside Ray with {_last_line(error)}; this is a mistake of laketag, of a library or of the "
        f"environment of the nodes. The trace is in {log_file}"
    )


def log_loss(error: BaseException, log_file: Path) -> str:
    """One sentence about a loss after which the work goes on; the whole trace is appended to the log."""
    _append_trace(error, log_file)
    return _describe_loss(error)


def is_loss(error: BaseException) -> bool:
    """Whether a process, node, object or the progress was lost, which a fresh start on what is left can mend."""
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
        )  # a value that cannot be read there
        for inner in chain(error)
    )


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, Ray's own ``cause`` included, outermost first."""
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
    """Whether this is a LaketagError itself; Ray's mixture of one and a RayTaskError has a trace for a message."""
    import ray.exceptions

    return isinstance(error, LaketagError) and not isinstance(error, ray.exceptions.RayError)


def _describe_loss(error: BaseException) -> str:
    return f"Ray lost a worker or a node and could not make up for it ({_last_line(error)})"


def _append_trace(error: BaseException, log_file: Path) -> None:
    with log_file.open("a") as log:
        log.write("".join(traceback.format_exception(error)))


def _last_line(error: BaseException) -> str:
    """What the innermost error that says something says, in one line."""
    innermost = [inner for inner in chain(error) if str(inner).strip()][-1:] or [error]
    lines = [line.strip() for line in str(innermost[0]).splitlines() if line.strip()]
    failed_to_start = getattr(innermost[0], "actor_init_failed", False)  # its message is a trace
    said = (lines[-1] if failed_to_start else lines[0]) if lines else ""
    return f"{type(innermost[0]).__name__}: {said}".rstrip(": ")[:400]
