"""The Ray that a command runs on: the one that RAY_ADDRESS names, or one embedded in the process."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    log_file: Path


@contextmanager
def ray_runtime(*, logical_cpus: int | None = None) -> Iterator[RayRuntime]:
    """Connect to Ray, or start one in this process; Ray's own chatter goes to a log file.

    A Ray that the process is connected to already is used and left running.
    An embedded Ray is given ``logical_cpus``, or the machine's cores, but never less than two: the label
    actor holds one and something must be left to fetch and decode with.
    """
    os.environ.setdefault(
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"
    )  # leave CUDA_VISIBLE_DEVICES alone with 0 GPUs
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    log_file = Path(tempfile.gettempdir()) / "laketag" / f"ray-{timestamp()}-{os.getpid()}.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    _send_ray_logs_to(handler)

    import ray
    import ray.data  # configures its loggers on import, so theirs are replaced after it

    _send_ray_logs_to(handler)
    address = os.environ.get("RAY_ADDRESS")
    started = not ray.is_initialized()
    try:
        if started:
            _connect(address, logical_cpus)
        _quieten_ray_data()
        resources = ray.cluster_resources()
        yield RayRuntime(
            embedded=started and not address,
            cpus=resources.get("CPU", 0.0),
            gpus=resources.get("GPU", 0.0),
            log_file=log_file,
        )
    finally:
        if started:
            ray.shutdown()
        handler.close()


def _connect(address: str | None, logical_cpus: int | None) -> None:
    import ray

    try:
        if address:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        else:
            ray.init(
                address="local",
                num_cpus=logical_cpus or max(2, os.cpu_count() or 1),
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"RAY_ADDRESS={address}" if address else "this machine"
        raise ClusterError(
            f"Ray on {where} cannot be reached or started ({error}); "
            + (
                "check that the head runs and that RAY_ADDRESS names it, or unset it"
                if address
                else "see Ray's log"
            )
        ) from error


def _send_ray_logs_to(handler: logging.Handler) -> None:
    """Ray's loggers write to the handler and nowhere else on this side."""
    for name in ("ray", "ray.data", "ray.serve", "ray.rllib", "ray.train", "ray.tune"):
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
