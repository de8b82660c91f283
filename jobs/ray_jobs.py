"""A connection to the Jobs API of a cluster, with errors that say what to do."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import ClusterError

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
POLL_S = 0.5
ANSWER_S = 10.0
"""A dashboard that says nothing for so long is not reached; Ray's own client would wait for minutes."""
RECONNECT_S = 60.0
"""A port-forward that breaks is usually back within a minute, and the job goes on without it."""
STOPPED_CODE = 130  # as the command ends on Ctrl-C
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


def chosen_address(address: str | None) -> str:
    """The option, else RAY_API_SERVER_ADDRESS, else the dashboard of this machine."""
    return address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS


def connect(address: str) -> Any:
    """A JobSubmissionClient of a cluster that runs the same Ray as this machine, or a ClusterError."""
    import ray
    import requests
    from ray.dashboard.modules.dashboard_sdk import SubmissionClient
    from ray.job_submission import JobSubmissionClient

    if not address.startswith(("http://", "https://")):
        raise ClusterError(
            f"address {address!r} is not the URL of a Ray dashboard; write it as http://HOST:8265 (not Ray's own port)"
        )
    for name in ("ray", JobSubmissionClient.__module__, SubmissionClient.__module__):
        logging.getLogger(name).setLevel(logging.WARNING)  # or they tell of each upload and closed socket
    with cluster_errors(address), _only_this_address():
        requests.get(f"{address.rstrip('/')}/api/version", timeout=ANSWER_S)
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
    """Write the job's log until it ends; its last status and exit code, or a ClusterError if it never began."""
    import requests

    written, heard = 0, time.monotonic()
    while True:
        written = asyncio.run(_tail(client, job_id, written, write))
        try:
            details = client.get_job_info(job_id)
        except (ConnectionError, requests.exceptions.RequestException):
            if time.monotonic() - heard > RECONNECT_S:
                raise
        else:
            heard = time.monotonic()
            if str(details.status.value) in ENDED:
                break
        time.sleep(POLL_S)  # the connection broke, or the job waits for its place
    status = str(details.status.value)
    rest = client.get_job_logs(job_id)[written:]
    if rest:
        write(rest)
    if status == "FAILED" and details.driver_exit_code is None:
        said = " ".join(str(details.message or "Ray says nothing more").split())
        raise ClusterError(
            f"job {job_id} did not run to its end on the cluster: {said[:600]}; mend that and submit it again"
        )
    return status, exit_code(status, details.driver_exit_code)


def exit_code(status: str, driver_code: int | None) -> int:
    """What the submitting command ends with: the job's own code, 128 + N if signal N ended it."""
    if status == "STOPPED":
        return STOPPED_CODE
    code = (0 if status == "SUCCEEDED" else 1) if driver_code is None else driver_code
    return code if code >= 0 else 128 - code


async def _tail(client: Any, job_id: str, written: int, write: Callable[[str], None]) -> int:
    """Follow one connection to the log, leaving out what was written before; how much is written now."""
    import aiohttp

    seen = 0
    with contextlib.suppress(
        RuntimeError, aiohttp.ClientError, OSError
    ):  # a connection that broke: follow() decides
        async for chunk in client.tail_job_logs(job_id):
            fresh = chunk[max(0, written - seen) :]
            seen += len(chunk)
            if fresh:
                write(fresh)
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
