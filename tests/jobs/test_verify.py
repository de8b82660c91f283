import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from laketag.jobs.cli import main
from laketag.jobs.verify import verify
from laketag.pipeline.lake.runs import label_files, read_runs
from tests.lake.full_lakes import label_night


def test_a_summary_and_each_fault_fit_a_terminal_of_80_columns(lake) -> None:
    label_night(lake, {"a": "1"})
    label_night(lake, {"a": "2"})
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    assert verify(lake.root, console=console).exit_code == 0
    assert (
        "runs 2 · label files 2 · rows 2 · snapshots 2 · kept files 2\neverything adds up\n" in out.getvalue()
    )
    for url in label_files(lake, read_runs(lake)):
        Path(url).unlink()
    assert verify(lake.root, console=console).exit_code == 7
    lines = out.getvalue().splitlines()
    assert lines[-1] == "faults: 2"
    assert all(len(line) <= 80 or line.startswith("labels/") for line in lines)


def test_the_command_ends_with_7_and_prints_json(lake, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    label_night(lake, {"a": "1"})
    Path(label_files(lake, read_runs(lake))[0]).unlink()
    monkeypatch.setattr("sys.argv", ["laketag", "verify", "--root", lake.root, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 7
    assert json.loads(capsys.readouterr().out)["command"] == "verify"
