import pytest
from rich.console import Console

from laketag.jobs.sets import sets
from laketag.pipeline.lake.paths import Lake
from tests.lake.full_lakes import label_night
from tests.lake.run_rows import RUN


def test_sets_are_printed_as_a_table(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    label_night(lake, {"a": "1"})
    sets(lake.root, console=Console(width=100))
    header, row, count = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["description_set", "classes", "texts"]
    assert row.split()[:4] == [RUN.description_set, "2", "3", "1"]
    assert count.startswith("1 row")


def test_a_lake_without_sets_names_the_command_that_writes_one(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    sets(lake.root, console=Console(width=200))
    assert "laketag describe CLASSES" in capsys.readouterr().out
