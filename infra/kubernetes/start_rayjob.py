"""Starts one RayJob from a manifest and waits until it has ended; runs in the pod of the nightly CronJob.

The RayJob is named after the Kubernetes Job that this pod belongs to, so that a pod that replaces a lost one finds the existing
run instead of starting a second. The pod needs only the rights to create and to get RayJobs.

Exit codes: 0 the run succeeded, 3 it failed or was deleted, 1 anything else (Kubernetes then starts the pod again).
"""

import argparse
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SUFFIX = "-run"
"""KubeRay names the Kubernetes Job of a RayJob's submitter after the RayJob, so its name must differ from this pod's Job."""
LONGEST_NAME = 47  # of a RayJob: MaxRayJobNameLength in KubeRay's utils/constant.go
ENDED = ("Complete", "Failed", "ValidationFailed")
RUN_FAILED = 3
UNREACHABLE_S = 900.0  # an API server may be unreachable for minutes while a control plane is upgraded


class Api:
    """The RayJobs of one namespace, with the rights of the pod's service account."""

    def __init__(self, server: str, namespace: str, account: Path) -> None:
        self._url = f"{server}/apis/ray.io/v1/namespaces/{namespace}/rayjobs"
        self._token = account / "token"
        authority = account / "ca.crt"
        self._tls = ssl.create_default_context(cafile=str(authority)) if server.startswith("https:") else None

    def create(self, rayjob: dict[str, Any]) -> bool:
        """The RayJob exists; returns whether this call created it."""
        try:
            self._ask("POST", self._url, rayjob)
        except urllib.error.HTTPError as error:
            if error.code == 409:  # created by an earlier pod, or by a request whose response was lost
                return False
            raise
        return True

    def status(self, name: str) -> dict[str, Any]:
        """The status that the operator has written; empty before the first time."""
        answer: dict[str, Any] = self._ask("GET", f"{self._url}/{name}").get("status") or {}
        return answer

    def _ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {self._token.read_text(encoding='utf-8').strip()}",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30, context=self._tls) as answer:
            parsed: dict[str, Any] = json.load(answer)
            return parsed


def tonights_rayjob(manifest: Path, job: str, uid: str) -> dict[str, Any]:
    """The manifest's RayJob, named after the Kubernetes Job and owned by it, so that it is deleted with it."""
    rayjob: dict[str, Any] = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    metadata = rayjob["metadata"]
    metadata.pop("generateName", None)
    metadata["name"] = job + SUFFIX
    metadata["ownerReferences"] = [{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid}]
    return rayjob


def wait_for_end(api: Api, name: str, poll_s: float) -> int:
    """Wait until the run has ended and return the exit code; each change of its status is printed."""
    seen, reached = "", time.monotonic()
    while True:
        try:
            status = api.status(name)
            reached = time.monotonic()
        except urllib.error.HTTPError as error:
            if error.code == 404:  # a person has ended this night; creating the RayJob again would restart it
                say(f"{name}: deleted, this night is over")
                return RUN_FAILED
            if error.code < 500 and error.code != 429:
                raise
            status = None
        except OSError:
            status = None
        if status is None:
            if time.monotonic() - reached > UNREACHABLE_S:
                raise TimeoutError(f"the Kubernetes API has not answered for {UNREACHABLE_S:.0f} s")
            time.sleep(poll_s)
            continue
        state = status.get("jobDeploymentStatus") or "New"
        line = f"{name}: {state}, job {status.get('jobStatus') or 'not yet started'}, {status.get('message') or 'no message'}"
        if line != seen:
            say(line)
            seen = line
        if state in ENDED:
            return 0 if state == "Complete" and status.get("jobStatus") == "SUCCEEDED" else RUN_FAILED
        time.sleep(poll_s)


def say(line: str) -> None:
    """Write the line to the pod's log."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Start the run, wait for its end, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("manifest", type=Path, help="YAML of one RayJob")
    parser.add_argument("--poll-s", type=float, default=15.0, help="seconds between two requests")
    arguments = parser.parse_args()
    job = os.environ["JOB_NAME"]
    if len(job + SUFFIX) > LONGEST_NAME:
        say(
            f"{job}: KubeRay accepts names of {LONGEST_NAME} characters, so a Job's may have {LONGEST_NAME - len(SUFFIX)}"
        )
        return RUN_FAILED
    account = Path(os.environ.get("SERVICE_ACCOUNT_FOLDER", str(ACCOUNT)))
    server = os.environ.get("KUBERNETES_API", "https://kubernetes.default.svc")
    rayjob = tonights_rayjob(arguments.manifest, job, os.environ["JOB_UID"])
    name = rayjob["metadata"]["name"]
    api = Api(server, rayjob["metadata"]["namespace"], account)
    say(f"{name}: {'created' if api.create(rayjob) else 'exists already, waiting for it'}")
    return wait_for_end(api, name, arguments.poll_s)


if __name__ == "__main__":
    sys.exit(main())
