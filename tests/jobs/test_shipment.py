import inspect
from importlib.metadata import version
from pathlib import Path
from typing import get_type_hints

import pytest

from jobs.describe import describe
from jobs.shipment import (
    DESCRIBE_FLAGS,
    build_working_directory,
    pinned_requirements,
    ship_description_files,
)


def test_what_is_pinned_is_what_is_installed_and_what_it_needs_in_turn() -> None:
    pins = dict(line.split("==") for line in pinned_requirements())
    assert {"polars", "obstore", "typer", "s3fs"} <= pins.keys()
    assert "botocore" in pins  # needed by aiobotocore, which s3fs needs
    assert "ray" not in pins  # the cluster's own, or nothing would connect
    assert "pytest" not in pins
    assert all(version(name) == pinned for name, pinned in pins.items())


def test_the_working_directory_holds_code_and_settings_and_no_caches(tmp_path) -> None:
    build_working_directory(tmp_path, None)
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert ".py" in suffixes
    assert ".pyc" not in suffixes
    assert (tmp_path / "jobs" / "remote.py").is_file()


@pytest.mark.parametrize(
    ("command", "shipped"),
    [
        (
            "animals --set animals -s animals --root animals",
            "1/animals --set animals -s animals --root animals",
        ),
        ("--set animals -sanimals animals", "--set animals -sanimals 4/animals"),
        ("--show-dropped animals --format=cupl", "--show-dropped 2/animals --format=cupl"),
        ("s3://b/x.json --classes animals", "s3://b/x.json --classes 3/animals"),
        ("animals --classes=animals -o x.y=animals", "1/animals --classes=2/animals -o x.y=animals"),
        ("--classes animals -- animals", "--classes 2/animals -- 4/animals"),
        ("missing --root=animals", "missing --root=animals"),
    ],
)
def test_only_the_file_and_that_of_the_classes_are_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, shipped: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("animals").write_text("cat\ndog\n")
    arguments = ship_description_files(["describe", *command.split()], tmp_path / "job")
    inputs = [word.replace("submitted-inputs/", "") for word in arguments]
    assert inputs == ["describe", *shipped.split()]
    for word in arguments:
        path = word.removeprefix("--classes=")
        if path.startswith("submitted-inputs/"):
            assert (tmp_path / "job" / path).read_text() == "cat\ndog\n"


def test_the_flags_of_describe_are_known() -> None:
    hints = get_type_hints(describe)
    flags = {
        f"--{name.replace('_', '-')}"
        for name in inspect.signature(describe).parameters
        if hints[name] is bool
    }
    assert flags == {flag for flag in DESCRIBE_FLAGS if flag not in ("--help", "-h")}
