import io
import json

import pytest
from rich.console import Console

from laketag.jobs.clean import clean
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.store.folders import list_folders
from tests.lake.full_lakes import freeze_night, label_night


@pytest.fixture
def staged(lake: Lake) -> Lake:
    """A lake with a run of another classifier that nobody finishes."""
    label_night(lake, {"a": "1"})
    freeze_night(lake, {"a": "2"}, "beef")
    return lake


def is_staged(lake: Lake) -> bool:
    return list_folders(lake.path("staging"), lake.storage) != ["leases"]


def test_a_terminal_is_shown_what_would_go_and_asked_first(
    staged: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    monkeypatch.setattr("sys.stdin", Answering("n\n"))
    assert not clean(staged.root, keep_days=0, console=console).removed
    assert "staging of unfinished runs: 2 files, " in out.getvalue()
    assert is_staged(staged)
    assert clean(staged.root, keep_days=0, yes=True, console=console).removed
    assert not is_staged(staged)


def test_a_dry_run_removes_nothing_and_without_a_terminal_nobody_is_asked(staged: Lake, capsys) -> None:
    assert not clean(staged.root, keep_days=0, dry_run=True).removed
    assert is_staged(staged)
    assert clean(staged.root, keep_days=0, as_json=True).removed
    assert json.loads(capsys.readouterr().out)["files"] == {"staging of unfinished runs": 2}


def test_impossible_retentions_are_refused(lake: Lake) -> None:
    with pytest.raises(SettingsError, match=r"--keep-days -1"):
        clean(lake.root, keep_days=-1)


class Answering(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True
