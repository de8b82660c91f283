"""Names and paths that could lead elsewhere are refused by a sentence, or mean only themselves."""

import json
from pathlib import Path

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.paths import open_lake
from tests.end_to_end.command_line import one_line, run_laketag
from tests.lake.full_lakes import label_night

TRICKS = {
    "up": "../outside",
    "inner up": "a/../../outside",
    "dots": "..",
    "absolute": "/outside",
    "NUL": "a\0b",
    "newline": "a\nb",
    "escape": "%2e%2e%2foutside",
    "backslash": "..\\outside",
    "long": "n" * 5000,
    "URL": "s3://bucket/outside",
}
"""NUL cannot be on a command line, but in a script and in a file of settings."""


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_a_name_that_is_not_a_part_of_one_path_everywhere_is_refused(tmp_path: Path, trick: str) -> None:
    root = ("--root", str(tmp_path / "lake"))
    night = tmp_path / "night.toml"
    collection = 'root = "lake"\n[[collection]]\nsource = "."\n'
    names = [json.dumps([name, "c"][::step]) for name in [trick] for step in (1, -1)]
    commands = [
        ("index", ".", *root, "-c", trick),
        ("describe", "classes.txt", *root, "-s", trick),
        ("label", *root, "-c", trick, "-s", "s"),
        ("label", *root, "-c", "c", "-s", trick),
        ("nightly", str(night)),
        ("nightly", str(night)),
    ]
    for command in commands:
        if command[0] == "nightly":
            one, other = json.loads(names.pop())
            text = f"collection = {json.dumps(one)}\nset = {json.dumps(other)}\n"
            night.write_text(collection + text, encoding="utf-8")
        ended = run_laketag(*command)
        assert ended.code == 2, command
        assert "cannot be part of a path" in one_line(ended.err)
    assert not (tmp_path / "lake").exists()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The root of a lake with one label; the current folder is two folders below its parent."""
    (tmp_path / "in" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "in" / "here")
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    label_night(lake, {"a": "1"})
    return lake.root


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_a_path_at_which_nothing_is_and_a_filter_that_nothing_has_are_named(root: str, trick: str) -> None:
    for command in (
        ("index", trick, "--root", root, "-c", "c"),
        ("describe", trick, "--root", root, "-s", "s"),
        ("verify", "--root", trick),
        ("settings", "--settings", trick),
        ("nightly", trick),
    ):
        ended = run_laketag(*command)
        assert ended.code in (2, 4), command
        assert ended.err
    for option in ("--run-id", "--collection", "--classifier"):
        ended = run_laketag("query", "labels", "--root", root, option, trick)
        assert (ended.code, "has no" in ended.err) == (0, True), option


WRITTEN = {
    "up": "in/outside.csv",
    "inner up": "in/outside.csv",
    "dots": "in/here/...csv",
    "newline": "in/here/a\nb.csv",
    "escape": "in/here/%2e%2e%2foutside.csv",
    "backslash": "in/here/..\\outside.csv",
}
"""The files that ``--output`` means, from the folder that the lake is in."""


@pytest.mark.parametrize("name", [name for name in TRICKS if name != "absolute"])
def test_output_is_written_where_the_path_says_or_refused(root: str, name: str) -> None:
    top = Path(root).parent
    before = {*top.rglob("*")}
    ended = run_laketag("query", "labels", "--root", root, "--output", f"{TRICKS[name]}.csv")
    assert ended.code == 0 if name in WRITTEN else ended.code in (2, 4)
    assert {*top.rglob("*")} - before == {top / file for key, file in WRITTEN.items() if key == name}
