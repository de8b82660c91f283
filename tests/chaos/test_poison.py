"""Images that kill the process that works on them cost a label to nobody else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.command_line import PROJECT, command_env
from tests.end_to_end.pictures import encoded, picture

pytestmark = pytest.mark.chaos
JXL = b"\xff\x0a"


FAULTS = {3: b"crash", 5: b"memory"}
"""Images of one block whose decoder kills its process, or says that there is no memory."""


def put_images(folder: Path) -> dict[str, str | None]:
    """Images in two blocks of 8; returns the failure that each has to have."""
    folder.mkdir()
    expected: dict[str, str | None] = {}
    for number in range(16):
        name, failure, data = f"{number:02}.png", None, encoded(picture(number), "PNG")
        if number in FAULTS:
            name, failure, data = f"{number:02}.jxl", "poison", JXL + FAULTS[number]
        elif number == 10:
            name, failure = f"{number:02}-dies-when-labelled.png", "poison"
        elif number == 12:
            name, failure = f"{number:02}-has-no-score.png", "not_finite"
        (folder / name).write_bytes(data)
        expected[name] = failure
    return expected


def test_images_that_kill_are_found_and_named_in_a_run_that_goes_on_after_actors_that_could_not_load(
    tmp_path: Path,
) -> None:
    expected = put_images(tmp_path / "images")
    env = {"PYTHONPATH": os.pathsep.join([str(PROJECT / "tests" / "chaos" / "crashing"), str(PROJECT)])}
    script = (sys.executable, "-m", "tests.chaos.label_poisoned")
    done = subprocess.run(
        [*script, str(tmp_path / "lake"), str(tmp_path / "images")],
        env=command_env(env),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *said, printed = done.stdout.splitlines()
    rows = {row["name"]: row for row in json.loads(printed)}
    assert {name: row["failure"] for name, row in rows.items()} == expected
    assert all((row["label"] is None) == (expected[name] is not None) for name, row in rows.items())
    assert "3 processes died, or had no memory left, while it was decoded" in rows["03.jxl"]["failure_detail"]
    assert "crash of native code" in rows["03.jxl"]["failure_detail"]
    assert "labelled" in rows["10-dies-when-labelled.png"]["failure_detail"]
    assert re.search(r"exit code 8: an actor on \S+ died 2 times while it loaded", "\n".join(said))
    assert "3 image(s) may have killed a process" in "\n".join(said)
