"""The Ray that a command runs on: the one that RAY_ADDRESS names, or one embedded in the process."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from laketag.pipeline.cluster.nodes import Node, free_now, living_nodes, total
from laketag.pipeline.cluster.ray_errors import ray_errors
from laketag.pipeline.cluster.ray_logs import ray_log_file, send_ray_logs_to_file
from laketag.pipeline.errors import ClusterError

if TYPE_CHECKING:
    from ray.job_config import JobConfig

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

    @property
    def total(self) -> Node:
        """The sum of all nodes."""
        return total(self.nodes)

    def __str__(self) -> str:
        where = "this machine" if self.embedded else f"{len(self.nodes)} node(s)"
        return f"{where}: {self.total}"


@contextmanager
def ray_runtime(*, logical_cpus: int | None = None) -> Iterator[RayRuntime]:
    """The process is connected to Ray, and Ray's own messages go to a log file.

    A Ray that the process is connected to already is used and left running. An embedded Ray gets ``logical_cpus``, by
    default the machine's cores, but at least two: the label actor holds one, and fetch and decode need the other.
    Errors of tasks and actors are raised as the LaketagError that they were, or as one that names the log.
    """
    send_ray_logs_to_file()
    import ray

    address = os.environ.get("RAY_ADDRESS")
    started = not ray.is_initialized()
    with ray_errors(ray_log_file()):
        try:
            if started:
                _init_ray(address, logical_cpus or max(2, usable_cores()))
            _set_up_ray_data()
            nodes = living_nodes()
            embedded = not address and len(nodes) == 1
            yield RayRuntime(embedded, nodes, ray_log_file(), free_now(), usable_cores())
        finally:
            if started:
                ray.shutdown()


def usable_cores() -> int:
    """Cores that this process may use, in a container no more than its limit."""
    from ray._private.utils import get_num_cpus  # reads cgroups; os.cpu_count() is the machine's

    return int(get_num_cpus(override_docker_cpu_warning=True))


def _init_ray(address: str | None, logical_cpus: int) -> None:
    # Handles of an earlier Ray's actors, in reference cycles that Ray Data leaves behind, must go while there is no Ray:
    # actors of the next one have the same ids and would be released with them.
    gc.collect()
    with _same_sigterm():
        if address:
            _connect(address)
        else:
            _start(logical_cpus)
    send_ray_logs_to_file()


@contextmanager
def _same_sigterm() -> Iterator[None]:
    """Restores the handler of SIGTERM, which ray.init() replaces: a stopped job must end as the command line wants it to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


def _connect(address: str) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, job_config=_job_config())
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"Ray at RAY_ADDRESS={address} cannot be reached ({error}); "
            "check that the head runs and that this is its address, or unset RAY_ADDRESS to work on this machine"
        ) from error


def _start(logical_cpus: int) -> None:
    import ray

    for left in reversed(range(START_TRIES)):
        try:
            ray.init(
                address="local",
                num_cpus=logical_cpus,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                job_config=_job_config(),
            )
            return
        except Exception as error:  # Ray raises a bare Exception when its processes start too slowly
            ray.shutdown()
            if left == 0 or "timed out during startup" not in str(error):
                raise ClusterError(
                    f"Ray does not start on this machine ({error}); see its logs in /tmp/ray"
                ) from error


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
