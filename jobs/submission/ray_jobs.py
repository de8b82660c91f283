"""A connection to the Jobs API of a cluster, with errors that say what to do."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from laketag.jobs.environment import environment
from laketag.pipeline.errors import ClusterError
from laketag.pipeline.store.errors import without_secrets
from laketag.pipeline.version import laketag_version

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


def chosen_address(address: str | None) -> str:
    """The option, else RAY_API_SERVER_ADDRESS, else the dashboard of this machine."""
    return address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS


def shown_address(address: str) -> str:
    """The address as it may be printed: without user:password@."""
    return re.sub(r"^(\w+://)?[^/]*@", r"\1", address)


def connect(address: str) -> Any:
    """A JobsClient of a cluster with the Ray that laketag needs, or a ClusterError."""
    if not address.startswith(("http://", "https://")):
        raise ClusterError(
            f"address {shown_address(address)!r} is not the URL of a Ray dashboard; "
            "write it as http://HOST:8265 (not Ray's own port)"
        )
    from ray.dashboard.modules.dashboard_sdk import SubmissionClient
    from ray.job_submission import JobSubmissionClient

    from laketag.jobs.submission.ray_client import JobsClient

    for name in ("ray", JobSubmissionClient.__module__, SubmissionClient.__module__):
        logging.getLogger(name).setLevel(logging.WARNING)  # or they tell of each upload and closed socket
    with (
        cluster_errors(address),
        environment({"RAY_ADDRESS": None, "RAY_API_SERVER_ADDRESS": None}),  # Ray would prefer them
    ):
        client = JobsClient(address)
    _check_ray(shown_address(address), str(client.ray_version))
    return client


@contextmanager
def cluster_errors(address: str) -> Iterator[None]:
    """What the Jobs API refuses becomes a ClusterError that names the address and the fix."""
    import requests
    from ray.exceptions import AuthenticationError

    where = shown_address(address)
    try:
        yield
    except AuthenticationError as error:
        reason = without_secrets(str(error)).partition(". ")[0]
        raise ClusterError(
            f"{where} refuses this machine's token ({reason}); set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN "
            "(or RAY_AUTH_TOKEN_PATH) to the cluster's token"
        ) from None
    except requests.exceptions.ProxyError:
        raise ClusterError(
            f"the proxy that this machine's environment names does not lead to {where}; "
            "add the cluster's host to NO_PROXY if it is reached without"
        ) from None
    except requests.exceptions.SSLError as error:
        raise ClusterError(
            f"{where} has a certificate that is not trusted here ({without_secrets(str(error))}); "
            "name the file of its authority in REQUESTS_CA_BUNDLE"
        ) from None
    except requests.exceptions.RequestException as error:
        raise ClusterError(
            f"no Ray dashboard answers at {where} ({type(error).__name__}); check that the head runs, forward its port "
            "(ray dashboard ray_cluster.yaml, or kubectl port-forward service/NAME-head-svc 8265) and name it with --address"
        ) from None
    except RuntimeError as error:
        raise ClusterError(f"{where} answers: {without_secrets(str(error), 400)}") from None


def _check_ray(where: str, theirs: str) -> None:
    """The cluster's Ray is of the minor version that laketag is made for, or a ClusterError."""
    import ray

    if theirs.split(".")[:2] != ray.__version__.split(".")[:2]:
        needed = ".".join(ray.__version__.split(".")[:2])
        raise ClusterError(
            f"{where} runs Ray {theirs} and this machine Ray {ray.__version__}; laketag {laketag_version()} needs "
            f"Ray {needed}.x on the cluster: give the cluster an image with it (infra/images), "
            f"or use the laketag release made for Ray {theirs}"
        )
