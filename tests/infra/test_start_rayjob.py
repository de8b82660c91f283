"""The nightly's script, run as in its pod, against a server that implements the API's two calls."""

import os
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.infra.api_server import TOKEN, RayJobs, serve_rayjobs
from tests.infra.manifests import KUBERNETES, read_document
from tests.infra.programs import run_program

JOB = "laketag-nightly-29384756"
NAME = f"{JOB}-run"
SUCCEEDED = {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}
RUNNING = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}


def start(server: RayJobs, folder: Path, *, token: str = TOKEN, job: str = JOB) -> "CompletedProcess[str]":
    (folder / "token").write_text(token + "\n")
    env = {
        "KUBERNETES_API": server.url,
        "SERVICE_ACCOUNT_FOLDER": str(folder),
        "JOB_NAME": job,
        "JOB_UID": "u-1",
    }
    script, manifest = KUBERNETES / "start_rayjob.py", KUBERNETES / "rayjob.yaml"
    return run_program(sys.executable, script, manifest, "--poll-s", "0.05", env={**os.environ, **env})


def test_the_manifests_rayjob_is_created_under_a_name_of_its_own_and_awaited(tmp_path: Path) -> None:
    with serve_rayjobs([{}, RUNNING, RUNNING, SUCCEEDED], JOB) as server:
        result = start(server, tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"{NAME}: Running, job RUNNING" in result.stdout
    assert result.stdout.count("Running, job RUNNING") == 1
    created = server.rayjobs[NAME]
    assert created["spec"] == read_document(KUBERNETES / "rayjob.yaml")["spec"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": JOB, "uid": "u-1"}
    assert created["metadata"]["ownerReferences"] == [owner]
    assert "generateName" not in created["metadata"]


def test_it_asks_for_nothing_but_what_its_role_allows(tmp_path: Path) -> None:
    with serve_rayjobs([SUCCEEDED], JOB) as server:
        start(server, tmp_path)
    assert set(server.asked) == {"create", "get"}


def test_a_second_pod_awaits_the_run_of_the_first(tmp_path: Path) -> None:
    with serve_rayjobs([SUCCEEDED], JOB) as server:
        start(server, tmp_path)
        again = start(server, tmp_path)
    assert again.returncode == 0
    assert "exists already" in again.stdout
    assert len(server.rayjobs) == 1


@pytest.mark.parametrize(
    "status",
    [
        {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "message": "exit code 6"},
        {"jobDeploymentStatus": "Complete", "jobStatus": "FAILED"},
        {"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"},
        {"jobDeploymentStatus": "ValidationFailed", "message": "spec: …"},
        404,  # deleted, to end this night
    ],
)
def test_a_failed_run_ends_with_the_code_that_the_cronjob_does_not_retry(
    status: dict[str, Any] | int, tmp_path: Path
) -> None:
    with serve_rayjobs([RUNNING, status], JOB) as server:
        result = start(server, tmp_path)
    policy = read_document(KUBERNETES / "nightly.yaml")["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]
    assert [result.returncode] == policy["rules"][0]["onExitCodes"]["values"]
    assert policy["rules"][0]["action"] == "FailJob"


def test_a_deleted_run_is_not_begun_again(tmp_path: Path) -> None:
    with serve_rayjobs([RUNNING, 404], JOB) as server:
        result = start(server, tmp_path)
    assert result.stdout.splitlines()[-1] == f"{NAME}: deleted, this night is over"
    assert server.asked.count("create") == 1


def test_a_name_that_the_operator_would_refuse_ends_in_a_sentence(tmp_path: Path) -> None:
    with serve_rayjobs([SUCCEEDED], JOB) as server:
        result = start(server, tmp_path, job="j" * 44)
    assert result.returncode == 3
    assert "a Job's may have 43" in result.stdout
    assert server.asked == []


def test_an_api_server_that_restarts_is_waited_for(tmp_path: Path) -> None:
    with serve_rayjobs([RUNNING, 503, 500, 429, SUCCEEDED], JOB) as server:
        result = start(server, tmp_path)
    assert result.returncode == 0, result.stderr


def test_a_refused_token_ends_the_pod_so_that_kubernetes_tries_again(tmp_path: Path) -> None:
    with serve_rayjobs([SUCCEEDED], JOB) as server:
        result = start(server, tmp_path, token="another")
    assert result.returncode == 1
    assert server.rayjobs == {}
