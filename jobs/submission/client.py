"""A client of a cluster's Jobs API, whose errors say what to fix. It imports Ray, so commands import it when they connect."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import ray
from ray.dashboard.modules.dashboard_sdk import SubmissionClient
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient
from requests import Response
from requests.exceptions import ProxyError, RequestException, SSLError
from requests.utils import get_auth_from_url

from laketag.pipeline.errors import ClusterError
from laketag.pipeline.store.errors import without_secrets
from laketag.pipeline.version import laketag_version

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
CONNECT_S = 10.0
"""Timeout of the first answer; Ray's own client has none."""
ANSWER_S = 60.0
"""Timeout of every other answer: a busy head first stores the package that it receives."""


class UnreachableError(ClusterError):
    """The head does not answer, or it or a proxy before it fails: a retry may help."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class JobsClient(JobSubmissionClient):
    """Ray's client with timeouts and our errors; it sends Ray's token whatever ``~/.netrc`` contains."""

    def __init__(self, address: str) -> None:
        self.where = shown_address(address)
        # JobSubmissionClient's own __init__ prefers RAY_ADDRESS to the address
        with _token_errors(self.where):
            SubmissionClient.__init__(self, address)
        self.ray_version = _ray_version(
            self._do_request("GET", "/api/version", timeout=CONNECT_S), self.where
        )

    def _do_request(self, method: str, endpoint: str, **options: Any) -> Response:
        own = get_auth_from_url(self._address)
        options.setdefault("auth", own if any(own) else _keep_headers)
        options.setdefault("timeout", (CONNECT_S, ANSWER_S))
        try:
            with _token_errors(self.where):
                response: Response = super()._do_request(method, endpoint, **options)
        except RequestException as error:
            reason = without_secrets(f"{type(error).__name__}: {error}", 120)
            raise UnreachableError(_unreachable(self.where, error), reason) from None
        if "text/html" in response.headers.get("Content-Type", ""):
            reason = "a web page instead of an answer"
            raise UnreachableError(
                f"{self.where} gives {reason}, as a login page does; check the address, and the proxy or ingress before it",
                reason,
            )
        return response

    def _raise_error(self, r: Response) -> NoReturn:
        reason = f"status {r.status_code}: {without_secrets(r.text, 400)}"
        if r.status_code >= 500:
            raise UnreachableError(f"{self.where} fails with {reason}; try again", reason)
        raise ClusterError(f"{self.where} refuses the request with {reason}")


def connect(address: str | None) -> JobsClient:
    """A client of a cluster that runs the Ray that laketag needs, or a ClusterError.

    Without an address, that of RAY_API_SERVER_ADDRESS, or the dashboard of this machine.
    """
    address = address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS
    if not address.startswith(("http://", "https://")):
        raise ClusterError(
            f"address {shown_address(address)!r} is not the URL of a Ray dashboard; "
            "write it as http://HOST:8265 (not Ray's own port)"
        )
    for name in ("ray", JobSubmissionClient.__module__, SubmissionClient.__module__):
        logging.getLogger(name).setLevel(logging.WARNING)  # they report each upload otherwise
    client = JobsClient(address)
    needed = ".".join(ray.__version__.split(".")[:2])
    if ".".join(client.ray_version.split(".")[:2]) != needed:
        raise ClusterError(
            f"{client.where} runs Ray {client.ray_version} and this machine Ray {ray.__version__}; "
            f"laketag {laketag_version()} needs Ray {needed}.x on the cluster: give the cluster an image with it "
            f"(infra/images), or use the laketag release made for Ray {client.ray_version}"
        )
    return client


@contextmanager
def _token_errors(where: str) -> Iterator[None]:
    """A token that cannot be read, or that the head refuses, is a ClusterError."""
    try:
        yield
    except AuthenticationError as error:
        reason = without_secrets(str(error)).partition(". ")[0]
        raise ClusterError(
            f"{where} refuses this machine's token ({reason}); set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN "
            "(or RAY_AUTH_TOKEN_PATH) to the cluster's token"
        ) from None


def shown_address(address: str) -> str:
    """The address as it may be printed: without user:password@."""
    return re.sub(r"^(\w+://)?[^/]*@", r"\1", address)


def _unreachable(where: str, error: RequestException) -> str:
    """Why no answer came from the address, and the fix."""
    if isinstance(error, ProxyError):
        return (
            f"the proxy in this machine's environment variables does not reach {where}; "
            "add the cluster's host to NO_PROXY if it is reached without the proxy"
        )
    if isinstance(error, SSLError):
        return (
            f"{where} has a certificate that is not trusted here ({without_secrets(str(error))}); "
            "set REQUESTS_CA_BUNDLE to the certificate file of its authority"
        )
    return (
        f"no Ray dashboard answers at {where} ({type(error).__name__}); check that the head runs, forward its port "
        "(ray dashboard ray_cluster.yaml, or kubectl port-forward service/NAME-head-svc 8265) and name it with --address"
    )


def _keep_headers(request: Any) -> Any:
    """As ``auth``, it stops requests from replacing Ray's token with the credentials in ``~/.netrc``."""
    return request


def _ray_version(answer: Response, where: str) -> str:
    """The version in the answer to /api/version, or a ClusterError if it is not that of a Ray dashboard."""
    if answer.status_code != 200:
        raise ClusterError(
            f"{where} answers with status {answer.status_code} ({answer.reason}), which a Ray dashboard does not; "
            "check the address, and the proxy or ingress before it"
        )
    try:
        version = answer.json()["ray_version"]
    except (ValueError, KeyError, TypeError):
        version = None
    if not isinstance(version, str) or not re.match(r"\d+\.\d+", version):
        raise ClusterError(
            f"{where} does not report a Ray version, so it is not a Ray dashboard; name one with --address http://HOST:8265"
        )
    return version
