"""A job's log is printed whole and once, whatever becomes of the connection; how following it ends on this side."""

import io
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from rich.console import Console

from laketag.jobs.submission.client import connect
from laketag.jobs.submission.follow import Polling, exit_code, follow
from laketag.pipeline.errors import ClusterError
from tests.end_to_end.command_line import LAKETAG, PROJECT, command_env, one_line, start_laketag, wait_until
from tests.jobs.submission.fake_dashboard import NO_ANSWER, Answer, FakeDashboard, details, serve_dashboard

LOCAL_END = "stopped\n"
SHORT = Polling(poll_s=0.01, reconnect_s=0.2)
LOG = "one\ntwo\nthree\n"


@pytest.fixture
def dashboard() -> Iterator[FakeDashboard]:
    with serve_dashboard(ray.__version__) as served:
        served.listed = [details("job-1")]
        yield served


def followed(dashboard: FakeDashboard, *answers: Answer, polling: Polling = SHORT) -> tuple[int, str]:
    """The exit code, and what is printed beside the log."""
    dashboard.answers, beside = list(answers), io.StringIO()
    code = follow(connect(dashboard.url), "job-1", Console(file=beside, width=500), polling)
    return code, beside.getvalue()


def follow_command(dashboard: FakeDashboard) -> tuple[str, ...]:
    return ("jobs", "follow", "job-1", "--address", dashboard.url)


def test_each_part_of_the_log_is_printed_once_as_it_grows(
    dashboard: FakeDashboard, capsys: pytest.CaptureFixture[str]
) -> None:
    growing = [Answer(log=log) for log in ("", "", "one\ntw", "one\ntw", "one\ntwo\n")]
    assert followed(dashboard, *growing, Answer(log=LOG, status="FAILED", code=6)) == (
        6,
        "job job-1 failed with exit code 6\n",
    )
    assert capsys.readouterr().out == LOG


@pytest.mark.parametrize("http", [503, NO_ANSWER], ids=["a proxy's error", "no answer"])
def test_a_head_that_is_away_for_a_moment_loses_nothing(
    dashboard: FakeDashboard, capsys: pytest.CaptureFixture[str], http: int
) -> None:
    one, away = Answer(log="one\n"), Answer(http=http)
    answers = [away, one, away, one, one, away, away, one, away]
    polling = Polling(poll_s=0.01)  # a minute, as for a user
    ended = Answer(log=LOG, status="SUCCEEDED", code=0)
    assert followed(dashboard, *answers, ended, polling=polling) == (
        0,
        "job job-1 succeeded with exit code 0\n",
    )
    assert capsys.readouterr().out == LOG


@pytest.mark.parametrize(("http", "says"), [(503, "status 503: "), (NO_ANSWER, "ConnectionError: ")])
def test_a_head_that_stays_away_is_named_with_the_way_to_resume(
    dashboard: FakeDashboard, http: int, says: str
) -> None:
    with pytest.raises(ClusterError) as error:
        followed(dashboard, Answer(log="one\n"), Answer(http=http))
    assert f"{dashboard.url} has not answered for 0 s ({says}" in str(error.value)
    assert "the job may go on: when the head is back" in str(error.value)
    assert str(error.value).endswith(f"laketag jobs follow job-1 --address {dashboard.url}")


@pytest.mark.parametrize(("http", "says"), [(404, "status 404"), (403, "refuses this machine's token")])
def test_a_refusal_ends_it_at_once(dashboard: FakeDashboard, http: int, says: str) -> None:
    with pytest.raises(ClusterError, match=says):
        followed(dashboard, Answer(log="one\n"), Answer(http=http), polling=Polling(poll_s=0.01))


def test_the_exit_code_is_kept_when_the_end_of_the_log_cannot_be_read(
    dashboard: FakeDashboard, capsys: pytest.CaptureFixture[str]
) -> None:
    one, failed = Answer(log="one\n"), Answer(status="FAILED", code=6)
    code, beside = followed(dashboard, one, one, failed, Answer(http=503))
    assert (code, capsys.readouterr().out) == (6, "one\n")
    assert "the end of the log could not be read (status 503: " in beside
    assert f"try again with: laketag jobs follow job-1 --address {dashboard.url}\n" in beside


def test_a_job_that_never_ran_is_an_error_with_rays_reason(dashboard: FakeDashboard) -> None:
    with pytest.raises(ClusterError, match="did not run to its end on the cluster: Ray gives no reason"):
        followed(dashboard, Answer(status="FAILED"))


def test_a_job_that_was_stopped_elsewhere_can_be_resumed(dashboard: FakeDashboard) -> None:
    code, beside = followed(dashboard, Answer(status="STOPPED"))
    assert code == 130
    assert (
        beside
        == "job job-1 stopped with exit code 130; submit its command again later, and label goes on where it was\n"
    )


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


def test_ctrl_c_says_that_the_job_goes_on_and_nothing_else(dashboard: FakeDashboard) -> None:
    dashboard.answers = [Answer(log="one\n")]
    with_password = dashboard.url.replace("//", "//me:hunter2@")
    run = start_laketag("jobs", "follow", "job-1", "--address", with_password)
    wait_until(lambda: "one" in run.text, "the log is followed")
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == 130, run.text
    on_the_cluster = f"job-1 --address {dashboard.url}\n"
    assert f"the job goes on; follow it with: laketag jobs follow {on_the_cluster}" in run.text
    assert f"or stop it with: laketag jobs stop {on_the_cluster}" in run.text
    for never in (LOCAL_END, "Traceback", "hunter2"):
        assert never not in run.text


def test_ctrl_c_before_there_is_a_job_is_reported_as_for_any_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run = start_laketag("jobs", "--address", f"http://127.0.0.1:{silent.getsockname()[1]}")
        connection, _ = silent.accept()  # the command waits for an answer
        with connection:
            run.process.send_signal(signal.SIGINT)
            assert run.wait() == 130, run.text
    assert LOCAL_END in run.text


def test_a_closed_pipe_says_that_the_job_goes_on(dashboard: FakeDashboard) -> None:
    dashboard.answers = [*[Answer(log="one\n")] * 2, *[Answer(log="one\ntwo\n")] * 2, Answer(log=LOG)]
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


def test_a_full_disk_is_named_as_such(dashboard: FakeDashboard) -> None:
    dashboard.answers = [Answer(log="one\n")]
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
    said = one_line(done.stderr)
    assert "the log cannot be written to standard output (No space left on device)" in said
    assert "the job goes on; follow it with: laketag jobs follow job-1" in said
    assert "Traceback" not in said
