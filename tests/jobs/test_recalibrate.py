"""What ``laketag recalibrate`` prints."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

import laketag
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.paths import open_lake
from tests.flows.test_recalibrate_labels import STRICT, calibrate, label
from tests.lake.run_rows import RUN


def test_it_says_how_many_labels_it_has_decided_or_that_there_is_nothing_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    label(lake, {"a": "1", "c": "1"})
    calibrate(lake, STRICT)
    output = io.StringIO()
    report = laketag.recalibrate(
        lake.root, RUN.collection, RUN.description_set, console=Console(file=output, width=200)
    )
    assert (
        f"calibration {report.calibration} has decided 2 labels: 1 have accepted classes, 1 abstain"
        in output.getvalue()
    )
    laketag.recalibrate(lake.root, RUN.collection, RUN.description_set, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["command"], printed["exit_code"]) == ("recalibrate", 0)
    assert (printed["calibration"], printed["run_id"], printed["labels"]) == (report.calibration, None, 0)
