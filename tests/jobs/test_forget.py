"""``laketag forget``, through the command line."""

import os
import pty
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from laketag.jobs.cli import app
from laketag.jobs.forget import forget
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.end_to_end.command_line import LAKETAG, PROJECT
from tests.lake.label_rows import index_rows
from tests.lake.named_images import named_images


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    write_snapshot(lake, "photos", [index_rows("abc")])
    return lake


def run(lake: Lake, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["forget", "--root", lake.root, *arguments], env={"COLUMNS": "120"})


def test_a_prefix_or_a_list_is_named_and_nothing_is_removed_unasked(lake: Lake, tmp_path: Path) -> None:
    for wrong in ((), ("--uri-prefix", "x", "--list", "y")):
        assert "either with --uri-prefix PREFIX or with --list FILE" in str(run(lake, *wrong).exception)
    shown = run(lake, "--uri-prefix", "/images/a", "--dry-run").output
    assert shown.splitlines() == ["collection photos: 1 image named", "such as /images/a.png"]
    refused = run(lake, "--uri-prefix", "/images/a")
    assert "nobody can be asked here; add --yes" in str(refused.exception)
    assert named_images(lake) == {"index": set("abc")}
    (tmp_path / "list.txt").write_text("/images/a.png\nb\n/images/z.png\n")
    done = run(lake, "--list", str(tmp_path / "list.txt"), "--yes")
    assert done.exit_code == 0, done.output
    assert "1 more named by the list are in no table" in done.output
    assert done.output.splitlines()[-1] == "rows removed: 2 from index"
    assert named_images(lake) == {"index": {"c"}}
    assert (
        "2 images may be"
        in run(lake, "--list", str(tmp_path / "list.txt"), "--unforget", "-c", "photos").output
    )


def test_a_person_at_a_terminal_is_asked(lake: Lake) -> None:
    terminal, stdin = pty.openpty()
    os.write(terminal, b"n\n")
    command = [*LAKETAG, "forget", "--root", lake.root, "--uri-prefix", "/images/a"]
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=True, cwd=PROJECT)
    for end in (terminal, stdin):
        os.close(end)
    assert f"from all tables of {lake.root} for good? [y/N]" in done.stdout
    assert "nothing was removed" in done.stdout
    assert named_images(lake) == {"index": set("abc")}


def test_python_forgets_without_a_question_and_takes_relative_prefixes(lake: Lake, monkeypatch) -> None:
    monkeypatch.chdir("/")
    report = forget(lake.root, uri_prefix="images/")
    assert report is not None
    assert report.removed == {"index": 3}
    with pytest.raises(SettingsError):
        forget(lake.root)
