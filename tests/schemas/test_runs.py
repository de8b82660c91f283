from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.runs import read_runs
from laketag.schemas import Runs
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run


@pytest.mark.parametrize(
    ("count", "more"), [("index_rows", -1), ("already_done", 1), ("planned", 1), ("labelled", 1)]
)
def test_a_run_whose_ledger_does_not_balance_breaks_the_contract(
    tmp_path: Path, count: str, more: int
) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    write_run(lake, 1, [label_row("a"), label_row("b", failure="empty")])
    run = read_runs(lake)
    assert Runs.is_valid(run)
    assert not Runs.is_valid(run.with_columns(pl.col(count) + more))
    assert Runs.is_valid(run.with_columns(pl.col("index_rows") + 5))  # --limit left them for later
