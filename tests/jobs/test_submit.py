"""What a submission sends and refuses, without a cluster."""

import io
import os
import shlex
import socket
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from laketag.jobs.submission import client
from laketag.jobs.submit import job_variables, submit
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.version import laketag_version
from tests.end_to_end.command_line import one_line, run_laketag, spawn_laketag
from tests.jobs.submission.fake_dashboard import Answer, FakeDashboard, serve_dashboard

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEOFAKEY123",
    "AWS_SECRET_ACCESS_KEY": "very-secret-0123456789",
    "AWS_SESSION_TOKEN": "session-token-0123456789",
}
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64}
LABEL = ("label", "--root", "s3://b/lake", "-c", "c", "-s", "s")


@pytest.fixture
def dashboard() -> Iterator[FakeDashboard]:
    with serve_dashboard(ray.__version__) as served:
        yield served


def shipped_files(dashboard: FakeDashboard) -> dict[str, bytes]:
    """The working directory as it was uploaded."""
    (package,) = (
        body for request, body in dashboard.received.items() if request.startswith("PUT /api/packages/")
    )
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def test_credentials_are_never_sent(dashboard: FakeDashboard, tmp_path: Path) -> None:
    settings = tmp_path / "nightly.toml"
    settings.write_text(
        f'# {SECRETS["AWS_SECRET_ACCESS_KEY"]}\n[method]\ncrops = 8\n[storage]\nprofile = "p"\n'
    )
    options = ("--address", dashboard.url, "--settings", str(settings), "--detach", "--")
    outcome = spawn_laketag("submit", *options, *LABEL, env=SECRETS | TOKEN)
    assert outcome.code == 0, outcome
    files = shipped_files(dashboard)
    sent = dashboard.everything + b"\n".join(files.values())
    for name, secret in SECRETS.items():
        assert secret.encode() not in sent, name
    with_token = {asked for asked, headers in dashboard.requests if TOKEN["RAY_AUTH_TOKEN"] in headers}
    assert {
        "GET /api/version",
        "POST /api/jobs/",
    } < with_token  # the token is for the head, in its own header
    without_headers = b"".join(dashboard.received.values()) + b"".join(files.values())
    assert TOKEN["RAY_AUTH_TOKEN"].encode() not in without_headers
    job = dashboard.submitted
    assert job["runtime_env"]["env_vars"] == {
        "RAY_JOB_STOP_WAIT_TIME_S": "30",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }
    assert files["submitted-settings.toml"] == b'[method]\ncrops = 8\n[storage]\nprofile = "p"\n'
    assert (
        job["entrypoint"]
        == "python -m laketag.jobs.submission.remote label --root s3://b/lake --collection c --set s "
        "--settings submitted-settings.toml"
    )
    assert job["metadata"] == {
        "laketag": laketag_version(),
        "command": f"laketag {' '.join(LABEL)} --settings {settings}",
    }
    assert outcome.out.strip() == job["submission_id"]


def test_a_job_is_followed_to_its_own_exit_code(dashboard: FakeDashboard) -> None:
    running = Answer(log="labelled 1\n")
    dashboard.answers = [running, running, Answer(log="labelled 1\ntoo many fail\n", status="FAILED", code=6)]
    outcome = run_laketag("submit", "--address", dashboard.url, "--", *LABEL)
    assert (outcome.code, outcome.out) == (6, "labelled 1\ntoo many fail\n")
    assert f"job {dashboard.submitted['submission_id']} failed with exit code 6" in one_line(outcome.err)


@pytest.mark.parametrize("override", [False, True], ids=["file", "override"])
def test_a_password_in_the_endpoint_stays_here_and_is_not_shown(
    dashboard: FakeDashboard, tmp_path: Path, override: bool
) -> None:
    endpoint, file, words = "http://me:hunter2@store:9000", None, LABEL
    if override:
        words = (*LABEL, "-o", f"storage.endpoint_url={endpoint}")
    else:
        file = tmp_path / "s.toml"
        file.write_text(f'[storage]\nendpoint_url = "{endpoint}"\n')
    with pytest.raises(SettingsError, match="an endpoint's URL holds no credentials") as error:
        submit(list(words), address=dashboard.url, settings=file, detach=True)
    assert "hunter2" not in str(error.value)
    assert dashboard.requests == []


def test_settings_may_come_from_a_pipe(dashboard: FakeDashboard, tmp_path: Path) -> None:
    """As --settings <(…) gives them: they can be read once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("[method]\ncrops = 8\n",))
    writer.start()
    submit(list(LABEL), address=dashboard.url, settings=pipe, detach=True)
    writer.join()
    assert shipped_files(dashboard)["submitted-settings.toml"] == b"[method]\ncrops = 8\n"


def test_an_override_is_checked_together_with_the_file(dashboard: FakeDashboard, tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("[method]\nmin_side_fraction = 0.95\n")
    with pytest.raises(SettingsError, match=r"min_side_fraction 0\.95 is over"):
        submit(list(LABEL), address=dashboard.url, settings=file, detach=True)
    corrected = [*LABEL, "-o", "method.max_side_fraction=1"]
    submit(corrected, address=dashboard.url, settings=file, detach=True)
    with pytest.raises(SettingsError, match="crop: no such setting"):
        submit([*corrected, "-o", "method.crop=1"], address=dashboard.url, settings=file, detach=True)
    assert sum(asked == "POST /api/jobs/" for asked, _ in dashboard.requests) == 1


def test_files_of_descriptions_are_sent_and_other_files_are_not(
    dashboard: FakeDashboard, tmp_path: Path
) -> None:
    names, templates = tmp_path / "names.txt", tmp_path / "templates.json"
    names.write_text("cat\ndog\n")
    templates.write_text('["a photo of a {}."]')
    describe = ("describe", str(templates), f"--classes={names}", "--root", "s3://b/lake", "-s", "s")
    submit(list(describe), address=dashboard.url, detach=True)
    files = shipped_files(dashboard)
    assert files["submitted-inputs/file/templates.json"] == templates.read_bytes()
    assert files["submitted-inputs/classes/names.txt"] == names.read_bytes()
    assert dashboard.submitted["entrypoint"] == (
        "python -m laketag.jobs.submission.remote describe --root s3://b/lake --set s "
        "--classes submitted-inputs/classes/names.txt -- submitted-inputs/file/templates.json"
    )
    assert dashboard.submitted["metadata"]["command"] == shlex.join(["laketag", *describe])

    index = ["index", str(tmp_path), "--root", "s3://b/lake", "-c", "c"]
    submit(index, address=dashboard.url, detach=True)
    assert dashboard.submitted["entrypoint"].endswith(
        f" index --root s3://b/lake --collection c -- {tmp_path}"
    )


def test_pinned_packages_are_installed_by_ray(dashboard: FakeDashboard) -> None:
    submit(list(LABEL), address=dashboard.url, detach=True, pinned=True)
    packages = dashboard.submitted["runtime_env"]["pip"]["packages"]
    assert {line.partition("==")[0] for line in packages} >= {"polars", "open-clip-torch", "torch", "pandas"}


def test_help_is_shown_here(dashboard: FakeDashboard) -> None:
    outcome = run_laketag("submit", "--address", dashboard.url, "--", "label", "--help")
    assert outcome.code == 0
    assert "Usage: laketag label" in outcome.out
    assert dashboard.requests == []


def test_tables_are_as_wide_as_the_terminal_and_a_logs_lines_as_any_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    assert "COLUMNS" not in job_variables()
    reading, writing = os.openpty()
    with os.fdopen(reading), os.fdopen(writing, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        assert job_variables()["COLUMNS"] == "77"


def test_a_head_that_cannot_be_reached_is_named() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
        outcome = run_laketag("submit", "--address", address, "--", *LABEL)
    assert outcome.code == 8
    assert f"no Ray dashboard answers at {address}" in " ".join(outcome.err.split())
    assert "--address" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_head_that_listens_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CONNECT_S", 0.5)
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
    assert f"{dashboard.url} runs Ray 2.50.0 and this machine Ray {ray.__version__}" in one_line(outcome.err)
    assert dashboard.received == {}


def test_an_address_that_is_no_url_is_refused() -> None:
    outcome = run_laketag("jobs", "--address", "10.0.0.1:6379")
    assert outcome.code == 8
    assert "http://HOST:8265" in outcome.err
