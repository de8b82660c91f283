"""The one value that says what a call of label did: its counts, its exit code and its JSON."""

import json
from collections import Counter

import pytest
from rich.console import Console

from laketag.pipeline.errors import BusyError, ExitCode, StoppedError
from laketag.pipeline.flows.label_report import LabelReport, interrupted_json
from laketag.pipeline.progress.estimate import Estimate
from laketag.pipeline.progress.progress import Progress
from tests.flows.reports import published, report


@pytest.mark.parametrize(
    ("runs", "fail_on_failures", "code"),
    [
        ([], False, ExitCode.DONE),  # nothing to do
        ([], True, ExitCode.DONE),
        ([{"labelled": 3}], True, ExitCode.DONE),
        ([{"labelled": 1, "not_found": 2}], False, ExitCode.DONE),
        ([{"labelled": 1, "not_found": 2}], True, ExitCode.FAILED),
        ([{"not_found": 3}], False, ExitCode.FAILED),
        ([{"not_found": 2, "timeout": 1}], False, ExitCode.FAILED),
        ([{"labelled": 5}, {"timeout": 1}], False, ExitCode.DONE),
        ([{"timeout": 1}, {"not_found": 1}], False, ExitCode.FAILED),
    ],
)
def test_a_call_that_labels_nothing_of_what_it_planned_does_not_end_like_a_success(
    runs: list[dict[str, int]], fail_on_failures: bool, code: ExitCode
) -> None:
    assert report(*map(published, runs), fail_on_failures=fail_on_failures).exit_code is code


def test_its_json_has_the_ledger_the_exit_code_and_whether_to_run_again() -> None:
    made: LabelReport = report(
        published({"labelled": 4, "empty": 1}, left=10), left=10, rest=Estimate(10, 2.0, price_per_hour=360)
    )
    plain = json.loads(json.dumps(made.as_json()))
    assert {key: plain[key] for key in ("command", "exit_code", "resumable", "error", "dry_run")} == {
        "command": "label", "exit_code": 0, "resumable": False, "error": None, "dry_run": None,
    }  # fmt: skip
    assert (plain["planned"], plain["labelled"], plain["failures"], plain["left"]) == (5, 4, {"empty": 1}, 10)
    assert plain["estimate_of_left"] == {"seconds": 5, "cost": 0.5}
    (run,) = plain["runs"]
    assert run["index_rows"] == run["already_done"] + run["planned"] + run["left"]
    assert run["planned"] == run["labelled"] + sum(run["failures"].values())


@pytest.mark.parametrize(
    ("error", "code", "resumable"),
    [
        (StoppedError("too many"), 6, True),
        (KeyboardInterrupt(), 130, True),
        (BusyError("b"), 5, True),
        (ValueError("x"), 1, False),
    ],
)
def test_the_json_of_a_run_that_an_error_ended_says_what_was_done_and_what_to_do(
    error: BaseException, code: int, resumable: bool
) -> None:
    unfinished = Progress(10, Console(quiet=True), "r", done=7, outcomes=Counter(labelled=2, timeout=3))
    plain = json.loads(json.dumps(interrupted_json("photos", "animals", [unfinished], error)))
    assert (plain["exit_code"], plain["resumable"]) == (code, resumable)
    assert plain["error"]
    assert (plain["planned"], plain["labelled"], plain["failures"]) == (10, 4, {"timeout": 3})
    assert plain["runs"] == [{"run_id": "r", "published": False, "planned": 10}]
