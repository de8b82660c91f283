"""The Ray that a command runs on: the one that RAY_ADDRESS names, or one embedded in the process."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from laketag.pipeline.cluster.nodes import Node, free_now, living_nodes, total
from laketag.pipeline.cluster.ray_address import named_address, resolve_address, starter_of
from laketag.pipeline.cluster.ray_errors import ray_errors
from laketag.pipeline.cluster.ray_files import check_room, own_token, ray_folder
from laketag.pipeline.cluster.ray_logs import LOG_FORMAT, ray_log_file, ray_logs_in_file
from laketag.pipeline.errors import ClusterError

if TYPE_CHECKING:
    from ray.job_config import JobConfig

OOM_RETRIES = 5
"""How often Ray runs a task again that it killed for want of memory; its default is unlimited, whatever a task's max_retries."""
START_TRIES = 3
"""How often to start an embedded Ray; a very busy machine may need more than the 30 s that Ray gives its processes."""


@dataclass(frozen=True)
class RayRuntime:
    """What the driver needs to know of the Ray that it is connected to."""

    embedded: bool
    nodes: tuple[Node, ...]
    log_file: Path
    free: Node  # what no job holds at the start
    cores: int  # of this machine
    starter: str | None = None  # the other user of this machine who has started it

    @property
    def total(self) -> Node:
        """The sum of all nodes."""
        return total(self.nodes)

    def __str__(self) -> str:
        where = "this machine" if self.embedded else f"{len(self.nodes)} node(s)"
        return f"{where}{f' of the Ray of user {self.starter}' if self.starter else ''}: {self.total}"


_kept: ExitStack | None = None


@contextmanager
def keep_ray() -> Iterator[None]:
    """A Ray that ``ray_runtime`` starts or joins inside ends here, and not with the work that needed it first."""
    global _kept
    with ExitStack() as kept:
        outer, _kept = _kept, kept
        try:
            yield
        finally:
            _kept = outer


@contextmanager
def ray_runtime(*, logical_cpus: int | None = None) -> Iterator[RayRuntime]:
    """The process is connected to Ray, and Ray's own messages go to a log file.

    A Ray that the process is connected to already is used and left running. An embedded Ray gets ``logical_cpus``, by
    default the machine's cores, but at least two: the label actor holds one, and fetch and decode need the other.
    Errors of tasks and actors are raised as the LaketagError that they were, or as one that names the log.
    """
    with ray_logs_in_file(), ray_errors(ray_log_file()), ExitStack() as stack:
        import ray

        named = named_address()
        starter = None
        # What an earlier dataset or Ray of this process has left in reference cycles must go: until then the actors of that
        # dataset keep their CPUs, and handles of that Ray would release actors of the next one, which have the same ids.
        gc.collect()
        if not ray.is_initialized():
            owner = _kept or stack
            if named is None:
                owner.enter_context(own_token())
            owner.callback(_end_ray)
            with _our_sigterm():
                if named is None:
                    _start(logical_cpus or max(2, usable_cores()))
                else:
                    starter = _connect(named)
        _set_up_ray_data()
        nodes = living_nodes()
        embedded = named is None and len(nodes) == 1
        yield RayRuntime(embedded, nodes, ray_log_file(), free_now(), usable_cores(), starter)


def usable_cores() -> int:
    """Cores that this process may use, in a container no more than its limit."""
    from ray._private.utils import get_num_cpus  # reads cgroups; os.cpu_count() is the machine's

    return int(get_num_cpus(override_docker_cpu_warning=True))


@contextmanager
def _our_sigterm() -> Iterator[None]:
    """The handler of SIGTERM is the one of before; a signal while Ray starts is a KeyboardInterrupt.

    ``ray.init()`` sets another handler, and ``ray.shutdown()`` gives the signal back to the system, which ends the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit:  # what Ray's handler raises
        raise KeyboardInterrupt(signal.SIGTERM) from None
    finally:
        signal.signal(signal.SIGTERM, handler)


def _end_ray() -> None:
    """This process is connected to no Ray, and a Ray that it has started has ended."""
    import ray

    with _our_sigterm():
        ray.shutdown()


def _connect(named: str) -> str | None:
    """This process is connected to that Ray; the other user who has started it, if there is one."""
    address = resolve_address(named)
    try:
        _init_ray(address=address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"Ray at RAY_ADDRESS={named} cannot be joined ({error}); "
            "check that the head runs and that this is its address, or unset RAY_ADDRESS to work on this machine"
        ) from error
    return starter_of(address)


def _start(logical_cpus: int) -> None:
    import psutil
    import ray

    check_room(folder := ray_folder())
    children = set(psutil.Process().children(recursive=True))
    for left in reversed(range(START_TRIES)):
        try:
            _init_ray(address="local", num_cpus=logical_cpus, include_dashboard=False, _temp_dir=str(folder))
            return
        except (
            KeyboardInterrupt,
            SystemExit,
        ):  # ray.shutdown() does not know yet which processes were started
            for process in set(psutil.Process().children(recursive=True)) - children:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            raise
        except Exception as error:  # Ray raises a bare Exception when its processes start too slowly
            ray.shutdown()
            if left == 0 or "timed out during startup" not in str(error):
                raise ClusterError(
                    f"Ray does not start on this machine ({error}); see its logs in {folder}, "
                    "or set RAY_TMPDIR to another folder, with a short path"
                ) from error


def _init_ray(**where: Any) -> None:
    import ray
    from ray._private import ray_constants

    # Under `uv run` Ray would send the current folder to every worker and start each of them by uv. It reads its own
    # environment variable for this when it is imported, and a person's script may have imported it before us.
    ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False
    # Read by the process that owns the tasks, which is this one, also on a cluster that others have started.
    os.environ.setdefault("RAY_task_oom_retries", str(OOM_RETRIES))
    ray.init(**where, log_to_driver=False, logging_format=LOG_FORMAT, job_config=_job_config())


def _job_config() -> "JobConfig":
    """A job whose workers do not import from the driver's current folder, nor from the folder of its script.

    Ray puts both before site-packages, where any ``polars.py`` would shadow the library, unless the job has a working
    directory of its own: so this one claims to have one (ray 2.60, _private/worker.py, connect).
    """
    from ray.job_config import JobConfig

    config = JobConfig()
    config._runtime_env_has_working_dir = lambda: True  # type: ignore[method-assign]  # no public way
    return config


def _set_up_ray_data() -> None:
    """No progress bars, as the flow shows its own progress, and no error is hidden or retried."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = 0  # errors are rows, so no block is ever dropped
    context.retried_map_errors = False  # a stage raises only what another try would raise too
    context.raise_original_map_exception = True  # a LaketagError stays one, instead of its text
    context.max_consecutive_actor_init_deaths = 2  # a node may go while an actor loads its model on it
