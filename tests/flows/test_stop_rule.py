"""When a run stops itself."""

import pytest

from laketag.pipeline.config import RunSettings
from laketag.pipeline.errors import StoppedError
from laketag.pipeline.flows.stop_rule import StopRule
from laketag.schemas import LABELLED

FOUR = RunSettings(failed_images_before_stop=4)


def add(rule: StopRule, *outcomes: str | tuple[str, int]) -> None:
    for outcome in outcomes:
        reason, images = (outcome, 1) if isinstance(outcome, str) else outcome
        rule.add({"outcome": reason, "images": images, "uri": "s3://b/x.jpg", "detail": "403 AccessDenied"})


def test_a_run_stops_when_most_of_its_recent_images_fail_whatever_came_before() -> None:
    rule = StopRule(FOUR)
    add(rule, (LABELLED, 8), *["forbidden"] * 3)
    with pytest.raises(
        StoppedError,
        match=r"4 of the last 7 images failed as 'forbidden', such as s3://b/x.jpg \(403 AccessDenied\)\. Check what the cred",
    ):
        add(rule, "forbidden")


def test_images_that_came_together_count_as_those_that_came_one_by_one() -> None:
    rule = StopRule(RunSettings())
    add(rule, (LABELLED, 100_000), ("not_found", 199))
    with pytest.raises(StoppedError, match="index again"):
        add(rule, ("not_found", 300))


def test_a_run_goes_on_while_they_are_few_or_a_small_part_or_for_many_reasons() -> None:
    for _ in range(50):
        rule = StopRule(FOUR)
        add(rule, *["not_found", LABELLED, LABELLED] * 50)
        add(rule, *["forbidden", "empty", "timeout"] * 50)
        add(rule, "not_found", "not_found", "not_found")


def test_failures_of_before_are_tried_first_and_do_not_stop_a_run_that_goes_on() -> None:
    rule = StopRule(FOUR, {"not_found": 1500})
    add(rule, ("not_found", 1500), ("not_found", 3), LABELLED)
    with pytest.raises(StoppedError):
        add(rule, "not_found")


def test_a_fraction_of_one_never_stops() -> None:
    rule = StopRule(RunSettings(max_failed_fraction=1.0))
    add(rule, ("not_found", 5000), ("not_found", 1))
