"""The Ray that a command runs on: the one that RAY_ADDRESS names, or one embedded in the process."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ClusterError
from pipeline.lake import timestamp


@dataclass(frozen=True)
class RayRuntime:
    """What the driver needs to know of the Ray that it is connected to."""

    embedded: bool
    cpus: float
    gpus: float
    memory_bytes: float
    log_file: Path


START_TRIES = 3
"""A machine that is very busy may need more than the 30 s that Ray gives its processes to start."""


@contextmanager
def ray_runtime(*, logical_cpus: int | None = None) -> Iterator[RayRuntime]:
    """Connect to Ray, or start one in this process; Ray's own chatter goes to a log file.

    A Ray that the process is connected to already is used and left running.
    An embedded Ray is given ``logical_cpus``, or the machine's cores, but never less than two: the label
    actor holds one and something must be left to fetch and decode with.
    """
    log_file = Path(tempfile.gettempdir()) / "laketag" / f"ray-{timestamp()}-{os.getpid()}.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    import ray
    import ray.data  # configures its loggers on import, so theirs are replaced after it

    _send_ray_logs_to(handler)
    address = os.environ.get("RAY_ADDRESS")
    started = not ray.is_initialized()
    with _native_stderr_to(log_file) if started else nullcontext():
        try:
            if started and address:
                _connect(address)
            elif started:
                _start(logical_cpus or max(2, os.cpu_count() or 1))
            _send_ray_logs_to(handler)
            _quieten_ray_data()
            resources = ray.cluster_resources()  # type: ignore[no-untyped-call]  # untyped in Ray
            yield RayRuntime(
                embedded=started and not address,
                cpus=resources.get("CPU", 0.0),
                gpus=resources.get("GPU", 0.0),
                memory_bytes=resources.get("memory", 0.0),
                log_file=log_file,
            )
        finally:
            if started:
                ray.shutdown()
            handler.close()


@contextmanager
def _native_stderr_to(log_file: Path) -> Iterator[None]:
    """What Ray's C++ parts write to the process's stderr goes to the log file; Python's own stderr stays where it is."""
    terminal = os.dup(2)
    python_stderr = sys.stderr
    with log_file.open("ab") as log, os.fdopen(os.dup(2), "w", buffering=1) as stderr:
        os.dup2(log.fileno(), 2)
        if python_stderr is sys.__stderr__:
            sys.stderr = stderr
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            sys.stderr = python_stderr


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


def _quieten_ray_data() -> None:
    """No progress bars (the flow prints its own progress); errors are rows, so blocks are never dropped."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = 0
    context.retried_map_errors = False  # a stage raises only for what another try cannot mend
