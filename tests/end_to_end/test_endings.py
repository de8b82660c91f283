"""Exit codes of whole commands that no other test causes: a bug, a busy lake and a ledger that does not balance."""

import json
import os
from pathlib import Path

import pytest

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import ExitCode
from laketag.pipeline.lake.lease import LeaseTimes, hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.lake.staging import run_suffix, write_part
from tests.end_to_end.command_line import PROJECT, run_laketag, spawn_laketag
from tests.end_to_end.lakes import label, put_described
from tests.lake.label_rows import index_rows, label_frame, label_row
from tests.lake.run_rows import freeze_run
from tests.stores.store import folder_store

BROKEN_FILESYSTEM = """
from tests.stores.folder_filesystem import FolderFileSystem

class BrokenFileSystem(FolderFileSystem):
    protocol = "broken"

    def ls(self, path, detail=True, **options):
        return 1 / 0
"""


@pytest.fixture
def lake(tmp_path: Path, described: Path) -> Lake:
    """A lake with one image, which no label was ever made of, and descriptions."""
    made = open_lake(str(tmp_path / "lake"), Settings().storage)
    put_described(folder_store(tmp_path), made.root, described)
    write_snapshot(made, "c", [index_rows("a")])
    return made


def find_lease(lake: Lake, settings: Path) -> str:
    """The name of the lease that a label of the lake holds."""
    said = run_laketag(*label(lake.root), "--settings", str(settings), "--dry-run", "--json")
    fingerprint = json.loads(said.out)["classifier"]
    return "c" + run_suffix("c", fingerprint)


@pytest.mark.usefixtures("joined_ray")
def test_a_lake_that_another_process_labels_ends_with_5_and_one_that_does_not_balance_with_7(
    lake: Lake, tiny_settings: Path
) -> None:
    name = find_lease(lake, tiny_settings)
    command = (*label(lake.root), "--settings", str(tiny_settings), "--json")
    with hold_lease(lake, name, times=LeaseTimes(heartbeat_s=0.2)):
        busy = json.loads(run_laketag(*command).out)
    assert (busy["exit_code"], busy["resumable"]) == (ExitCode.BUSY, True)
    assert "works on the same collection and classifier" in busy["error"]

    run = freeze_run(lake, "a", "20260101T000000.000000Z" + name.removeprefix("c"))
    rows = [label_row(image_id, run_id=run.run_id) for image_id in ("a", "never planned")]
    write_part(lake, run.run_id, label_frame(rows))
    wrong = json.loads(run_laketag(*command).out)
    assert (wrong["exit_code"], wrong["resumable"]) == (ExitCode.LEDGER, False)
    assert "1 never planned (never planned)" in wrong["error"]
    assert read_runs(lake).is_empty()


def test_a_bug_of_a_library_ends_with_1_and_a_traceback(tmp_path: Path) -> None:
    info = tmp_path / "site" / "broken-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[fsspec.specs]\nbroken = broken_filesystem.BrokenFileSystem\n")
    (tmp_path / "site" / "broken_filesystem.py").write_text(BROKEN_FILESYSTEM)
    secrets = {
        name: f"planted-{name}" for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "RAY_AUTH_TOKEN")
    }
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(PROJECT)]), **secrets}
    ended = spawn_laketag(
        "index", f"broken://{tmp_path}", "--root", str(tmp_path / "lake"), "-c", "c", env=env
    )
    assert ended.code == ExitCode.BUG
    assert "ZeroDivisionError" in ended.err
    assert "planted-" not in ended.out + ended.err
