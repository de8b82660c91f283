"""A job's log arrives whole and once, whatever becomes of the connection."""

import gc
from collections.abc import Iterator

import pytest
import ray

from laketag.jobs.submission.follow_job import FollowedJob, exit_code
from laketag.jobs.submission.job_log import Patience
from laketag.jobs.submission.ray_jobs import connect
from laketag.pipeline.errors import ClusterError
from tests.jobs.submission.fake_dashboard import FakeDashboard, serve_dashboard
from tests.jobs.submission.fake_job import Drop, End, FakeJob, Outage, Refuse, Step

pytestmark = [  # Ray 2.60 passes an ssl that aiohttp would rather not have, and leaves its websocket to the collector
    pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning"),
]
SHORT = Patience(poll_s=0.01, refused_s=0.01, silence_s=0.1, silences=1000, reconnect_s=1.0)
FOR_EVER = 3600.0
WHOLE: list[Step] = ["one\n", "two\n", "three\n"]


@pytest.fixture
def dashboard() -> Iterator[FakeDashboard]:
    with serve_dashboard(ray.__version__) as served:
        yield served
    gc.collect()  # here, where its warnings are expected


def follow(dashboard: FakeDashboard, job: FakeJob, patience: Patience = SHORT) -> tuple[str, int, list[str]]:
    """The log as it was followed, the exit code, and what was said beside it."""
    dashboard.job, said = job, []
    followed = FollowedJob(connect(dashboard.url), dashboard.url, "job-1", said.append, patience)
    text = "".join(followed.log())
    return text, followed.exit_code, said


def test_a_log_is_read_as_it_comes_and_once_more_for_what_came_last(dashboard: FakeDashboard) -> None:
    tails: list[list[Step]] = [["one\n", End("FAILED", 6)], WHOLE]
    assert follow(dashboard, FakeJob(tails)) == ("one\ntwo\nthree\n", 6, [])


def test_a_blip_after_hours_is_no_longer_than_one_in_the_first_minute(dashboard: FakeDashboard) -> None:
    tails: list[list[Step]] = [
        ["one\n", 1.5, Outage(0.3)],  # followed for longer than the head may be gone
        ["one\n", "two\n", 1.5, Outage(0.3)],
        [*WHOLE, End()],
        WHOLE,
    ]
    assert follow(dashboard, FakeJob(tails)) == ("one\ntwo\nthree\n", 0, [])


def test_a_silent_connection_is_left_when_the_job_has_ended(dashboard: FakeDashboard) -> None:
    tails: list[list[Step]] = [["one\n", End("FAILED", 3), FOR_EVER], WHOLE]
    assert follow(dashboard, FakeJob(tails)) == ("one\ntwo\nthree\n", 3, [])


def test_a_connection_that_is_silent_for_too_long_is_made_anew(dashboard: FakeDashboard) -> None:
    tails: list[list[Step]] = [["one\n", FOR_EVER], ["one\n", "two\n", FOR_EVER], [*WHOLE, End()], WHOLE]
    patience = Patience(poll_s=0.01, silence_s=0.05, silences=2)
    assert follow(dashboard, FakeJob(tails), patience) == ("one\ntwo\nthree\n", 0, [])


def test_an_answer_of_a_proxy_is_like_a_broken_connection(dashboard: FakeDashboard) -> None:
    tails: list[list[Step]] = [["one\n", Outage(0.5, 503), 0.4, Drop()], [*WHOLE, End()], WHOLE]
    assert follow(dashboard, FakeJob(tails)) == ("one\ntwo\nthree\n", 0, [])


def test_a_head_that_fails_is_given_up_though_the_connection_stands(dashboard: FakeDashboard) -> None:
    with pytest.raises(
        ClusterError, match=r"has not answered for 1 s \(status 503: out\); the job may go on"
    ):
        follow(dashboard, FakeJob([["one\n", Outage(FOR_EVER, 503), FOR_EVER]]))


@pytest.mark.parametrize(
    ("status", "says"), [(404, "status code 404"), (403, "refuses this machine's token")]
)
def test_what_time_does_not_mend_ends_it_at_once(dashboard: FakeDashboard, status: int, says: str) -> None:
    patience = Patience(poll_s=0.01, silence_s=0.1)  # as long as it takes for anything else
    with pytest.raises(ClusterError, match=says):
        follow(dashboard, FakeJob([["one\n", Outage(FOR_EVER, status), FOR_EVER]]), patience)


def test_a_head_that_does_not_come_back_leaves_a_way_to_go_on(dashboard: FakeDashboard) -> None:
    with pytest.raises(ClusterError) as error:
        follow(dashboard, FakeJob([["one\n", Outage(FOR_EVER)]]))
    assert "has not answered for 1 s" in str(error.value)
    assert "the job may go on: when the head is back" in str(error.value)
    assert str(error.value).endswith(f"laketag jobs follow job-1 --address {dashboard.url}")


@pytest.mark.parametrize("status", [200, 400, 502])
def test_where_no_websocket_passes_the_log_comes_at_the_end(dashboard: FakeDashboard, status: int) -> None:
    job = FakeJob([[Refuse(status)]], log="".join(map(str, WHOLE)), ends_when_asked=8)
    text, code, said = follow(dashboard, job)
    assert (text, code) == ("one\ntwo\nthree\n", 0)
    assert said == [
        f"the log cannot be followed through this connection (status {status} instead of a websocket); it comes at the end"
    ]


def test_an_end_that_cannot_be_followed_is_read_in_one_answer(dashboard: FakeDashboard) -> None:
    job = FakeJob([["one\n", End()], ["one\n", "two\n", Drop()]], log="one\ntwo\nthree\n")
    assert follow(dashboard, job) == ("one\ntwo\nthree\n", 0, [])


def test_an_end_that_cannot_be_read_is_said_and_the_exit_code_stands(dashboard: FakeDashboard) -> None:
    job = FakeJob([["one\n", End("FAILED", 6), Outage(0.0)], [Outage(FOR_EVER)]])
    text, code, said = follow(dashboard, job)
    assert (text, code) == ("one\n", 6)
    (sentence,) = said
    assert "the end of the log could not be read" in sentence
    assert f"laketag jobs follow job-1 --address {dashboard.url}" in sentence


def test_a_job_that_never_ran_says_why(dashboard: FakeDashboard) -> None:
    with pytest.raises(ClusterError, match="did not run to its end on the cluster: Ray says nothing more"):
        follow(dashboard, FakeJob([[End("FAILED", None)]]))


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
