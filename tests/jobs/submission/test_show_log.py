"""How following a job ends on this side: by the job, by Ctrl-C, by an output that takes no more."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from tests.end_to_end.command_line import (
    LAKETAG,
    PROJECT,
    command_env,
    one_line,
    spawn_laketag,
    start_laketag,
    wait_until,
)
from tests.jobs.submission.fake_dashboard import FakeDashboard, serve_dashboard
from tests.jobs.submission.fake_job import End, FakeJob, details

FOR_EVER = 3600.0
LOCAL_END = "what was done is kept"


@pytest.fixture
def dashboard() -> Iterator[FakeDashboard]:
    with serve_dashboard(ray.__version__) as served:
        served.listed = [details("job-1")]
        yield served


def follow_command(dashboard: FakeDashboard) -> tuple[str, ...]:
    return ("jobs", "follow", "job-1", "--address", dashboard.url)


def test_ctrl_c_says_that_the_job_goes_on_and_nothing_else(dashboard: FakeDashboard) -> None:
    dashboard.job = FakeJob([["one\n", FOR_EVER]])
    with_password = dashboard.url.replace("//", "//me:hunter2@")
    run = start_laketag("jobs", "follow", "job-1", "--address", with_password)
    wait_until(lambda: "one" in run.text, "the log is followed")
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 130, run.text
    assert (
        f"the job goes on; follow it with: laketag jobs follow job-1 --address {dashboard.url}\n" in run.text
    )
    assert f"or stop it with: laketag jobs stop job-1 --address {dashboard.url}\n" in run.text
    for never in (LOCAL_END, "Traceback", "hunter2"):
        assert never not in run.text


def test_ctrl_c_before_there_is_a_job_is_an_end_as_of_any_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run = start_laketag("jobs", "--address", f"http://127.0.0.1:{silent.getsockname()[1]}")
        connection, _ = silent.accept()  # the command waits for an answer
        with connection:
            run.process.send_signal(signal.SIGINT)
            assert run.wait() == 130, run.text
    assert LOCAL_END in run.text


def test_a_job_that_was_stopped_elsewhere_can_be_gone_on_with(dashboard: FakeDashboard) -> None:
    dashboard.job = FakeJob([["one\n", End("STOPPED", None)], ["one\n"]])
    outcome = spawn_laketag(*follow_command(dashboard))
    assert (outcome.code, outcome.out) == (130, "one\n")
    assert "job job-1 stopped with exit code 130; submit the same command again to go on" in one_line(
        outcome.err
    )
    assert LOCAL_END not in outcome.err


def test_a_reader_that_leaves_is_told_that_the_job_goes_on(dashboard: FakeDashboard) -> None:
    dashboard.job = FakeJob([["one\n", 1.0, "two\n", FOR_EVER]])
    with subprocess.Popen(
        [*LAKETAG, *follow_command(dashboard)],
        env=command_env(),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "one\n"
        process.stdout.close()  # as head -1 does
        said = process.stderr.read()
    assert process.returncode == 141, said
    assert said.startswith("the job goes on; follow it with: laketag jobs follow job-1")
    assert "dashboard" not in said
    assert "Exception" not in said


def test_a_reader_of_a_finished_command_may_leave() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*LAKETAG, "settings"],
        env=command_env(),
        cwd=PROJECT,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_is_named_and_no_network_error(dashboard: FakeDashboard) -> None:
    dashboard.job = FakeJob([["one\n", FOR_EVER]])
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*LAKETAG, *follow_command(dashboard)],
            env=command_env(),
            cwd=PROJECT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4, done.stderr
    assert "the log cannot be written to standard output (No space left on device)" in done.stderr
    assert "the job goes on; follow it with: laketag jobs follow job-1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_of_another_encoding_loses_no_more_than_the_characters(dashboard: FakeDashboard) -> None:
    dashboard.job = FakeJob([["10 €\n", End()], ["10 €\n", "done\n"]])
    outcome = spawn_laketag(*follow_command(dashboard), env={"PYTHONIOENCODING": "ascii"})
    assert (outcome.code, outcome.out) == (0, "10 ?\ndone\n")
