import io

import pytest
from rich.console import Console

from laketag.pipeline.errors import BusyError
from laketag.pipeline.flows.compact_lake import UPKEEP, compact_lake
from laketag.pipeline.lake.lease import LeaseTimes, hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.screen import Screen
from tests.lake.decision_rows import decide
from tests.lake.full_lakes import label_night

SCREEN = Screen(Console(file=io.StringIO()))


def test_the_report_counts_files_before_and_after_also_with_nothing_to_do(lake: Lake) -> None:
    assert compact_lake(lake, SCREEN).runs == 0
    for image in "abc":
        label_night(lake, {image: "1"})
        decide(lake, image, "dog")
    report = compact_lake(lake, SCREEN)
    assert (report.run_files_before, report.run_files) == (3, 1)
    assert (report.label_files_before, report.label_files) == (3, 1)
    assert (report.decision_files_before, report.decision_files) == (3, 1)
    assert report.as_json()["exit_code"] == 0
    again = compact_lake(lake, SCREEN)
    assert (again.run_files_before, again.run_files, again.label_files) == (1, 1, 1)


def test_two_compactions_at_once_are_refused(lake: Lake) -> None:
    with (
        hold_lease(lake, UPKEEP, times=LeaseTimes(heartbeat_s=0.1)),
        pytest.raises(BusyError, match="wait until it is done"),
    ):
        compact_lake(lake, SCREEN)
