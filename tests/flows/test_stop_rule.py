"""When a run stops itself."""

from collections import Counter

import pytest
from rich.console import Console

from laketag.pipeline.config import RunSettings
from laketag.pipeline.errors import StoppedError
from laketag.pipeline.flows.stop_rule import stop_if_hopeless
from laketag.pipeline.progress.progress import Progress

SETTINGS = RunSettings()


def progress(done_before: int = 0, **outcomes: int) -> Progress:
    return Progress(
        10_000, Console(quiet=True), done=done_before + sum(outcomes.values()), outcomes=Counter(outcomes)
    )


def test_a_run_stops_when_most_of_its_images_fail_for_one_reason() -> None:
    with pytest.raises(
        StoppedError, match=r"200 of 300 images failed as 'forbidden'.*max_failed_fraction = 0.5"
    ):
        stop_if_hopeless(progress(labelled=100, forbidden=200), SETTINGS)


def test_it_goes_on_while_they_are_few_or_a_small_part() -> None:
    stop_if_hopeless(progress(forbidden=199), SETTINGS)
    stop_if_hopeless(progress(labelled=200, forbidden=200), SETTINGS)
    stop_if_hopeless(progress(labelled=1000), SETTINGS)
    stop_if_hopeless(progress(forbidden=150, not_found=150), SETTINGS)


def test_what_an_earlier_process_labelled_counts() -> None:
    """The failures of before are tried first when a run goes on."""
    stop_if_hopeless(progress(done_before=3500, not_found=1500), SETTINGS)


def test_a_fraction_of_one_never_stops() -> None:
    never = SETTINGS.model_copy(update={"max_failed_fraction": 1.0})
    stop_if_hopeless(progress(not_found=5000), never)
