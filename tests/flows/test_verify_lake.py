import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.verify_lake import verify_lake
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.screen import Screen
from tests.lake.full_lakes import label_night

SCREEN = Screen(Console(file=io.StringIO()))


def test_faults_end_with_the_code_of_the_ledger_and_are_named_in_json(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    assert verify_lake(lake, SCREEN).exit_code == 0
    file = read_runs(lake)["files"][0][0]
    Path(lake.root, file).unlink()
    report = verify_lake(lake, SCREEN)
    printed = json.loads(json.dumps(report.as_json()))
    assert (report.exit_code, printed["exit_code"]) == (7, 7)
    assert [fault["where"] for fault in printed["faults"]] == [file]


def test_a_root_without_tables_does_not_add_up(lake: Lake) -> None:
    with pytest.raises(InputError, match="has no table of laketag; correct the root"):
        verify_lake(lake, SCREEN)
