"""``laketag jobs``: only laketag's jobs, in a table from which ids and commands can be copied."""

from collections.abc import Iterator

import pytest
import ray

from tests.end_to_end.command_line import Outcome, one_line, run_laketag, spawn_laketag
from tests.jobs.submission.fake_dashboard import FakeDashboard, details, serve_dashboard

OURS = "laketag-label-20261123t204651-703940z"
FOREIGN = [
    details("raysubmit_1", metadata=None),
    details("raysubmit_2", metadata={"laketag": "yes"}),  # another program's metadata
    details("raysubmit_3", metadata={"command": "x"}),
    details("x", submission_id=None, type="DRIVER", metadata={}),
]


@pytest.fixture
def dashboard() -> Iterator[FakeDashboard]:
    with serve_dashboard(ray.__version__) as served:
        served.listed = [details(OURS), *FOREIGN]
        yield served


def jobs(dashboard: FakeDashboard, *arguments: str, **env: str) -> Outcome:
    return run_laketag("jobs", "--address", dashboard.url, *arguments, env=env)


def test_only_laketags_jobs_are_listed_with_what_was_typed(dashboard: FakeDashboard) -> None:
    outcome = jobs(dashboard)
    assert outcome.code == 0, outcome.err
    assert f"{OURS} │ running" in outcome.out
    assert "laketag query runs --root s3://b/lake" in outcome.out
    assert "raysubmit" not in outcome.out
    dashboard.listed = FOREIGN
    assert jobs(dashboard).out == f"no laketag job on {dashboard.url}\n"


@pytest.mark.parametrize("columns", ["40", "90"])
def test_an_id_is_never_broken_and_no_part_of_a_command_is_lost(
    dashboard: FakeDashboard, columns: str
) -> None:
    command = "laketag label --root s3://a-bucket/with/a/lake --collection photographs --set objects"
    dashboard.listed = [details(OURS, metadata={"laketag": "0", "command": command})]
    lines = jobs(dashboard, COLUMNS=columns).out.splitlines()
    cells = [[cell.strip() for cell in line.split("│")] for line in lines if "│" in line]
    assert cells[0][1:3] == [OURS, "running"]
    assert "".join(row[5] for row in cells).replace(" ", "") == command.replace(" ", "")


def test_the_address_may_come_before_the_sub_command(dashboard: FakeDashboard) -> None:
    outcome = run_laketag(
        "jobs", "--address", dashboard.url, "stop", OURS, env={"RAY_API_SERVER_ADDRESS": "http://127.0.0.1:9"}
    )
    assert outcome.code == 0, outcome.err
    assert (
        outcome.out
        == f"{OURS} is being stopped; submit its command again later, and label goes on where it was\n"
    )
    assert f"POST /api/jobs/{OURS}/stop" in dict(dashboard.requests)
    with serve_dashboard(ray.__version__) as nearer:
        nearer.listed = [details("job-2")]
        assert jobs(dashboard, "stop", "job-2", "--address", nearer.url).code == 0


def test_a_job_that_has_already_ended_is_not_reported_as_stopped(dashboard: FakeDashboard) -> None:
    dashboard.stops = False
    assert jobs(dashboard, "stop", OURS).out == f"{OURS} has already ended\n"


@pytest.mark.parametrize("command", ["stop", "follow"])
@pytest.mark.parametrize(
    ("job", "says"),
    [
        ("raysubmit_1", "was not submitted by laketag"),
        ("raysubmit_2", "was not submitted by laketag"),
        ("raysubmit_3", "was not submitted by laketag"),
        ("laketag-9", "has no job laketag-9"),
    ],
)
def test_jobs_of_others_are_left_alone(dashboard: FakeDashboard, command: str, job: str, says: str) -> None:
    outcome = jobs(dashboard, command, job)
    assert outcome.code == 8
    assert says in one_line(outcome.err)
    assert {asked for asked, _ in dashboard.requests} == {"GET /api/version", "GET /api/jobs/"}


def test_a_token_that_cannot_be_read_is_named(dashboard: FakeDashboard) -> None:
    """In a process of its own, as Ray reads its token once."""
    env = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/nowhere"}
    outcome = spawn_laketag("jobs", "--address", dashboard.url, env=env)
    assert outcome.code == 8
    assert "RAY_AUTH_TOKEN_PATH is set but file cannot be opened" in one_line(outcome.err)
    assert "Traceback" not in outcome.err
