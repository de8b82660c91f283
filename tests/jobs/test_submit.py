"""What a submission sends and refuses, without a cluster."""

import io
import socket
import time
import zipfile
from pathlib import Path

import pytest
import ray

from jobs.ray_jobs import exit_code
from jobs.submit import checked_command, option_value
from pipeline.errors import SettingsError
from tests.end_to_end.command_line import run_laketag
from tests.jobs.fake_dashboard import FakeDashboard, serve_dashboard

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEOFAKEY123",
    "AWS_SECRET_ACCESS_KEY": "very-secret-0123456789",
    "AWS_SESSION_TOKEN": "session-token-0123456789",
    "RAY_AUTH_TOKEN": "f" * 64,
}
LABEL = ("label", "--root", "s3://b/lake", "-c", "c", "-s", "s")


def shipped_files(dashboard: FakeDashboard) -> dict[str, bytes]:
    """The working directory as it was uploaded."""
    (package,) = (
        body for request, body in dashboard.received.items() if request.startswith("PUT /api/packages/")
    )
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def test_credentials_never_travel_though_the_submitter_has_them(tmp_path: Path) -> None:
    settings = tmp_path / "nightly.toml"
    settings.write_text('[method]\ncrops = 8\n[storage]\nprofile = "photos"\n')
    with serve_dashboard(ray.__version__) as dashboard:
        outcome = run_laketag(
            "submit",
            "--address",
            dashboard.url,
            "--settings",
            str(settings),
            "--detach",
            "--",
            *LABEL,
            env=SECRETS,
        )
        assert outcome.code == 0, outcome
        files = shipped_files(dashboard)
        sent = dashboard.everything + b"\n".join(files.values())
    for name, secret in SECRETS.items():
        assert secret.encode() not in sent, name
    assert dashboard.job["runtime_env"]["env_vars"].keys() == {  # type: ignore[index]
        "RAY_JOB_STOP_WAIT_TIME_S",
        "PYTHONUNBUFFERED",
        "COLUMNS",
    }
    assert files["submitted-settings.toml"] == settings.read_bytes()
    assert {"jobs/remote.py", "pipeline/config.py", "schemas/__init__.py", "submitted.json"} <= files.keys()
    entrypoint = str(dashboard.job["entrypoint"])
    assert entrypoint == f"python -m jobs.remote {' '.join(LABEL)} --settings submitted-settings.toml"
    assert outcome.out.strip() == dashboard.job["submission_id"]


def test_files_of_descriptions_travel_and_other_files_stay(tmp_path: Path) -> None:
    names, templates = tmp_path / "names.txt", tmp_path / "templates.json"
    names.write_text("cat\ndog\n")
    templates.write_text('["a photo of a {}."]')
    describe = ("describe", str(templates), f"--classes={names}", "--root", "s3://b/lake", "-s", "s")
    index = ("index", str(tmp_path), "--root", "s3://b/lake", "-c", "c")
    with serve_dashboard(ray.__version__) as dashboard:
        assert run_laketag("submit", "--address", dashboard.url, "--detach", "--", *describe).code == 0
        files, entrypoint = shipped_files(dashboard), str(dashboard.job["entrypoint"])
        assert run_laketag("submit", "--address", dashboard.url, "--detach", "--", *index).code == 0
        assert f"jobs.remote index {tmp_path} " in str(dashboard.job["entrypoint"])
    assert files["submitted-inputs/1/templates.json"] == templates.read_bytes()
    assert files["submitted-inputs/2/names.txt"] == names.read_bytes()
    assert "describe submitted-inputs/1/templates.json --classes=submitted-inputs/2/names.txt" in entrypoint


def test_a_head_that_cannot_be_reached_is_named_within_seconds() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
        began = time.monotonic()
        outcome = run_laketag("submit", "--address", address, "--", *LABEL)
    assert outcome.code == 8
    assert f"no Ray dashboard answers at {address}" in " ".join(outcome.err.split())
    assert "--address" in outcome.err
    assert "Traceback" not in outcome.err
    assert time.monotonic() - began < 60  # most of it imports Ray on a busy machine


def test_a_head_that_listens_and_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = run_laketag("jobs", "--address", f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert outcome.code == 8
    assert "ReadTimeout" in outcome.err


@pytest.mark.parametrize(
    "command", [("submit", "--", *LABEL), ("jobs",), ("jobs", "stop", "x")], ids=" ".join
)
def test_another_version_of_ray_is_refused(command: tuple[str, ...]) -> None:
    with serve_dashboard("2.50.0") as dashboard:
        outcome = run_laketag(*command, env={"RAY_API_SERVER_ADDRESS": dashboard.url})
    assert outcome.code == 8
    said = " ".join(outcome.err.split())
    assert f"{dashboard.url} runs Ray 2.50.0 and this machine Ray {ray.__version__}" in said
    assert "install ray==2.50.0 here" in said
    assert dashboard.received == {}


def test_an_address_that_is_no_url_is_refused() -> None:
    outcome = run_laketag("jobs", "--address", "10.0.0.1:6379")
    assert outcome.code == 8
    assert "http://HOST:8265" in outcome.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([], "comes one of: index, describe"),
        (["demo"], "'demo' cannot be submitted"),
        ([*LABEL, "--settings", "x.toml"], "give --settings before --"),
        ([*LABEL, "--settings=x.toml"], "give --settings before --"),
        (["label", "--root", "lake", "-c", "c"], "every node of the cluster sees"),
        (["label", "--root=./lake", "-c", "c"], "every node of the cluster sees"),
    ],
)
def test_a_command_that_makes_no_sense_on_a_cluster_is_refused(command: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        checked_command(command)


def test_laketag_itself_may_stand_before_the_command() -> None:
    assert checked_command(["laketag", *LABEL]) == list(LABEL)
    assert option_value(list(LABEL), "--root") == "s3://b/lake"
    assert option_value(["--root"], "--root") is None


@pytest.mark.parametrize(
    ("status", "driver_code", "code"),
    [
        ("SUCCEEDED", 0, 0),
        ("SUCCEEDED", None, 0),
        ("FAILED", 6, 6),
        ("FAILED", -9, 137),
        ("STOPPED", None, 130),
    ],
)
def test_the_exit_code_is_the_jobs_own(status: str, driver_code: int | None, code: int) -> None:
    assert exit_code(status, driver_code) == code
