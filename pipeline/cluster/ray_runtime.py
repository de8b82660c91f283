"""The Ray that a command runs on: the one that RAY_ADDRESS names, or one embedded in the process."""

import gc
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from laketag.pipeline.cluster.nodes import Node, free_now, living_nodes, total
from laketag.pipeline.cluster.ray_errors import ray_errors
from laketag.pipeline.errors import ClusterError


@dataclass(frozen=True)
class RayRuntime:
    """What the driver needs to know of the Ray that it is connected to."""

    embedded: bool
    nodes: tuple[Node, ...]
    log_file: Path
    free: Node  # what no job holds, at the start
    cores: int  # of this machine

    @property
    def total(self) -> Node:
        """Of all nodes."""
        return total(self.nodes)

    def __str__(self) -> str:
        where = "this machine" if self.embedded else f"{len(self.nodes)} node(s)"
        return f"{where}: {self.total}"


START_TRIES = 3
"""A machine that is very busy may need more than the 30 s that Ray gives its processes to start."""


@contextmanager
def ray_runtime(*, logical_cpus: int | None = None) -> Iterator[RayRuntime]:
    """Connect to Ray, or start one in this process; Ray's own chatter goes to a log file.

    A Ray that the process is connected to already is used and left running. What is raised inside tasks and actors
    comes out as the LaketagError that it was, or as one that names the log.
    An embedded Ray is given ``logical_cpus``, or the machine's cores, but never less than two: the label
    actor holds one and something must be left to fetch and decode with.
    """
    log_file = (
        Path(tempfile.gettempdir()) / "laketag" / f"ray-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
    )
    log_file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    import ray
    import ray.data  # configures its loggers on import, so theirs are replaced after it

    outer = [known for known in logging.getLogger("ray").handlers if type(known) is logging.FileHandler]
    _send_ray_logs_to(handler)
    address = os.environ.get("RAY_ADDRESS")
    started = not ray.is_initialized()
    if started:
        # Handles of an earlier Ray's actors, in reference cycles that Ray Data leaves behind, must go while there is no
        # Ray: actors of the next one have the same ids and would be released with them.
        gc.collect()
    with _ray_writes_to(log_file) if started else nullcontext(), ray_errors(log_file):
        try:
            with _same_sigterm():
                if started and address:
                    _connect(address)
                elif started:
                    _start(logical_cpus or max(2, usable_cores()))
            _send_ray_logs_to(handler)
            _set_up_ray_data()
            nodes = living_nodes()
            embedded = not address and len(nodes) == 1
            yield RayRuntime(embedded, nodes, log_file, free_now(), usable_cores())
        finally:
            if started:
                with log_file.open("a") as log, redirect_stdout(log):  # prints what it held back as repeated
                    ray.shutdown()
            _send_ray_logs_to(
                outer[0] if outer else logging.NullHandler()
            )  # a closed file would be opened again
            handler.close()


def usable_cores() -> int:
    """Cores that this process may use, in a container no more than its limit."""
    from ray._private.utils import get_num_cpus  # knows cgroups; Python's own count is that of the machine

    return int(get_num_cpus(override_docker_cpu_warning=True))


@contextmanager
def _same_sigterm() -> Iterator[None]:
    """ray.init() replaces the handler of SIGTERM; a stopped job must end as the command line wants it to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


class StdoutWithoutRay:
    """The process's stdout, but what Ray's own threads print, as of tasks that wait for a node, goes to the log."""

    def __init__(self, stdout: TextIO, log: TextIO) -> None:
        self._stdout, self._log = stdout, log

    def write(self, text: str) -> int:
        """As of a text file."""
        by_ray = threading.current_thread().name.startswith("ray_")
        return (self._log if by_ray else self._stdout).write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stdout, name)


@contextmanager
def _ray_writes_to(log_file: Path) -> Iterator[None]:
    """What Ray writes to the process's stderr, from C++ or from its threads, and to stdout goes to the log file."""
    terminal, stdout = os.dup(2), sys.stdout
    with log_file.open("a", buffering=1) as log:
        sys.stderr.flush()
        os.dup2(log.fileno(), 2)
        sys.stdout = cast("TextIO", StdoutWithoutRay(stdout, log))
        try:
            yield
        finally:
            sys.stdout = stdout
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def _connect(address: str) -> None:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"Ray at RAY_ADDRESS={address} cannot be reached ({error}); "
            "check that the head runs and that the address names it, or unset RAY_ADDRESS to work on this machine"
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
            )
            return
        except Exception as error:  # Ray raises a bare Exception when its processes start too slowly
            ray.shutdown()
            if left == 0 or "timed out during startup" not in str(error):
                raise ClusterError(
                    f"Ray does not start on this machine ({error}); see its logs in /tmp/ray"
                ) from error


def _send_ray_logs_to(handler: logging.Handler) -> None:
    """Ray's loggers write to the handler and nowhere else on this side."""
    for name in ("ray", "ray._private", "ray.data"):  # ray.init() takes those of "ray" away
        logger = logging.getLogger(name)
        logger.handlers = [
            kept for kept in logger.handlers if type(kept).__name__ == "SessionFileHandler"
        ] + [handler]
        logger.propagate = False


def _set_up_ray_data() -> None:
    """No progress bars (the flow prints its own progress), and every error is told as what it was."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = 0  # errors are rows, so blocks are never dropped
    context.retried_map_errors = False  # a stage raises only for what another try cannot mend
    context.raise_original_map_exception = True  # a LaketagError must come out as one, not as its text
    context.max_consecutive_actor_init_deaths = 2  # a node may go while an actor loads its model on it
