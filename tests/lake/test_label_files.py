"""What the rows of runs say of their label files."""

import hashlib
from pathlib import Path

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.label_files import LabelFile, file_columns, files_of
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import write_part
from tests.lake.label_rows import label_frame, label_row
from tests.lake.run_rows import freeze_run
from tests.lakes.test_earlier_lakes import ROOT


def test_a_published_run_says_rows_and_checksum_of_each_of_its_files(lake: Lake) -> None:
    run = freeze_run(lake, "abc", rows_per_file=2)
    write_part(lake, run.run_id, label_frame([label_row(image_id) for image_id in "abc"]))
    with hold_lease(lake, "x") as lease:
        publish(lake, run, lease)
    (row,) = read_runs(lake).iter_rows(named=True)
    files = files_of(row)
    assert [file.rows for file in files] == [2, 1]
    for file in files:
        data = Path(lake.root, file.path).read_bytes()
        assert (pl.read_parquet(data).height, hashlib.sha256(data).hexdigest()) == (file.rows, file.sha256)
    assert file_columns(files).items() <= row.items()


def test_of_the_files_of_runs_of_an_earlier_version_only_the_paths_are_known() -> None:
    row = read_runs(open_lake(ROOT, StorageSettings())).row(0, named=True)
    assert files_of(row) == [LabelFile(path, None, None) for path in row["files"]]
