from datetime import UTC, datetime

import pytest

from laketag.pipeline.errors import ExitCode
from laketag.pipeline.flows.night_report import WORST_FIRST, CollectionNight
from tests.flows.reports import published, report


@pytest.mark.parametrize(
    ("had_label", "run", "code"),
    [
        (9, {"timeout": 1}, ExitCode.DONE),
        (9, {"labelled": 1, "empty": 3}, ExitCode.DONE),
        (0, {"labelled": 1, "empty": 3}, ExitCode.DONE),
        (0, {"empty": 3}, ExitCode.FAILED),
    ],
)
def test_failed_images_are_an_ordinary_night_unless_no_image_has_a_label(
    had_label: int, run: dict[str, int], code: ExitCode
) -> None:
    night = CollectionNight(collection="c", description_set="s", started_at=datetime.now(UTC))
    night.labelled = report(published(run), had_label=had_label)
    assert night.exit_code is code


def test_every_exit_code_has_its_place_among_the_worst() -> None:
    assert sorted(WORST_FIRST) == sorted(ExitCode)
