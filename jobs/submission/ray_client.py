"""Ray's own client of the Jobs API, which here waits no longer than it must; importing it imports Ray."""

import re
from typing import Any

import requests
from ray.job_submission import JobSubmissionClient

from laketag.jobs.submission.ray_jobs import shown_address
from laketag.pipeline.errors import ClusterError
from laketag.pipeline.store.errors import without_secrets

CONNECT_S = 10.0
"""A dashboard that says nothing for so long when it is first asked is not reached; Ray itself would wait for ever."""
ANSWER_S = 60.0
"""Any other answer may take so long: a head with much to do stores a package first."""


class ServerFailedError(RuntimeError):
    """The head, or a proxy before it, answers with a status of 500 or more."""


class JobsClient(JobSubmissionClient):
    """A client with time limits, which sends Ray's token whatever ``~/.netrc`` holds, and knows which Ray answers."""

    ray_version: str | None = None

    def _do_request(self, method: str, endpoint: str, **options: Any) -> requests.Response:
        own = requests.utils.get_auth_from_url(self._address)
        options.setdefault("auth", own if any(own) else _as_it_is)
        options.setdefault("timeout", (CONNECT_S, ANSWER_S))
        response: requests.Response = super()._do_request(method, endpoint, **options)
        return response

    def _raise_error(self, r: requests.Response) -> None:
        if r.status_code >= 500:
            raise ServerFailedError(f"status {r.status_code}: {without_secrets(r.text)}")
        super()._raise_error(r)

    def _check_connection_and_version(self, *_: object, **__: object) -> None:
        """Keep the version of Ray that answers; Ray's own check is content with 2.0, and asks twice."""
        if self.ray_version is None:
            self.ray_version = _ray_version(self._do_request("GET", "/api/version", timeout=CONNECT_S))
            self._server_ray_version = self.ray_version  # Ray looks at it when the log is followed


def _as_it_is(request: Any) -> Any:
    """The request with the headers that it has: given as ``auth``, it keeps requests from reading ``~/.netrc``."""
    return request


def _ray_version(answer: requests.Response) -> str:
    """The version in the answer to /api/version, or a ClusterError if no Ray dashboard gave it."""
    where = shown_address(answer.url)
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
            f"{where} names no version of Ray, so it is not a Ray dashboard; name one with --address http://HOST:8265"
        )
    return version
