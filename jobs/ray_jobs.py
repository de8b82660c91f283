"""A connection to the Jobs API of a cluster, with errors that say what to do."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import ClusterError

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
POLL_S = 0.5
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


def chosen_address(address: str | None) -> str:
    """The option, else RAY_API_SERVER_ADDRESS, else the dashboard of this machine."""
    return address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS


def connect(address: str) -> Any:
    """A JobSubmissionClient of a cluster that runs the same Ray as this machine, or a ClusterError."""
    import ray
    from ray.job_submission import JobSubmissionClient

    with cluster_errors(address), _only_this_address():
        client = JobSubmissionClient(address)
        theirs = (
            client._server_ray_version
        )  # the public get_version() asks again for the API's version, not Ray's
    if theirs != ray.__version__:
        raise ClusterError(
            f"{address} runs Ray {theirs} and this machine Ray {ray.__version__}; "
            f"install ray=={theirs} here, or give the cluster an image with Ray {ray.__version__}"
        )
    return client


@contextmanager
def cluster_errors(address: str) -> Iterator[None]:
    """What the Jobs API refuses becomes a ClusterError that names the address and the fix."""
    import requests
    from ray.exceptions import AuthenticationError

    try:
        yield
    except AuthenticationError as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise ClusterError(
            f"{address} refuses this machine's token ({reason}); set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN "
            "(or RAY_AUTH_TOKEN_PATH) to the cluster's token"
        ) from None
    except (ConnectionError, requests.exceptions.RequestException) as error:
        reason = (
            type(error).__name__ if isinstance(error, requests.exceptions.RequestException) else str(error)
        )
        raise ClusterError(
            f"no Ray dashboard answers at {address} ({reason}); check that the head runs, forward its port "
            "(ray dashboard ray_cluster.yaml, or kubectl port-forward service/NAME-head-svc 8265) and name it with --address"
        ) from None
    except RuntimeError as error:
        raise ClusterError(f"{address} answers: {' '.join(str(error).split())[:400]}") from None


def follow(client: Any, job_id: str, write: Callable[[str], None]) -> tuple[str, int]:
    """Write the job's log until it ends; its last status and exit code."""
    written = 0
    while True:
        written = asyncio.run(_tail(client, job_id, written, write))
        details = client.get_job_info(job_id)
        status = str(details.status.value)
        if status in ENDED:
            break
        time.sleep(POLL_S)  # the connection broke, or the job waits for its place
    rest = client.get_job_logs(job_id)[written:]
    if rest:
        write(rest)
    code = details.driver_exit_code
    if code is None:
        code = 0 if status == "SUCCEEDED" else 1
    return status, code if 0 <= code < 256 else 128 - code


async def _tail(client: Any, job_id: str, written: int, write: Callable[[str], None]) -> int:
    """Follow one connection to the log, leaving out what was written before; how much is written now."""
    seen = 0
    try:
        async for chunk in client.tail_job_logs(job_id):
            fresh = chunk[max(0, written - seen) :]
            seen += len(chunk)
            if fresh:
                write(fresh)
    except RuntimeError:
        return max(written, seen)
    return max(written, seen)


@contextmanager
def _only_this_address() -> Iterator[None]:
    """Ray prefers its environment variables to an address that it is given; keep them out of its sight."""
    hidden = {
        name: os.environ.pop(name) for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS") if name in os.environ
    }
    try:
        yield
    finally:
        os.environ.update(hidden)
