import json
from typing import Any

import pytest
from rich.console import Console

from laketag.jobs.collections import collections, next_steps
from laketag.pipeline.lake.paths import Lake
from tests.lake.full_lakes import label_night
from tests.lake.run_rows import RUN

ROW: dict[str, Any] = {
    "collection": "c",
    "sets": ["s", "older"],
    "is_up_to_date": True,
    "unfinished_runs": [],
}


@pytest.mark.parametrize(
    ("changed", "known", "command"),
    [
        ({}, ["s"], "laketag query labels --root 'my lake' --collection c"),
        ({"is_up_to_date": False}, ["s"], "laketag label --root 'my lake' --collection c --set s"),
        (
            {"unfinished_runs": [{"run_id": "R", "description_set": "older"}]},
            ["s"],
            "laketag label --root 'my lake' --collection c --set older",
        ),
        ({"sets": []}, ["one"], "laketag label --root 'my lake' --collection c --set one"),
        ({"sets": []}, ["one", "two"], "laketag label --root 'my lake' --collection c --set SET"),
        ({"sets": []}, [], "laketag describe CLASSES --root 'my lake' --set NAME"),
    ],
)
def test_the_next_step_follows_from_what_is_there(
    changed: dict[str, Any], known: list[str], command: str
) -> None:
    (step,) = next_steps("my lake", [ROW | changed], known)
    assert step.startswith("c: ")
    assert step.endswith(f": {command}")


def test_the_next_step_of_an_empty_lake_is_an_index() -> None:
    assert next_steps("lake", [], [])[0].endswith(": laketag index IMAGES --root lake --collection NAME")


def test_json_has_one_line_for_each_collection(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    label_night(lake, {"a": "1"})
    collections(lake.root, as_json=True, console=Console())
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["collection"] == RUN.collection
