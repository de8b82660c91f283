"""``laketag nightly`` where no image is labelled; tests/end_to_end/test_nights.py has whole nights."""

import json
from pathlib import Path

import pytest

import laketag
from laketag.pipeline.errors import ExitCode, SettingsError
from laketag.pipeline.flows.night_report import WORST_FIRST
from tests.end_to_end.command_line import run_laketag
from tests.end_to_end.pictures import encoded, picture


def write_night(folder: Path, *sources: str) -> str:
    """The file of a night with a collection for each source, which has no descriptions."""
    blocks = [
        f'[[collection]]\nsource = "{source}"\ncollection = "{source}"\nset = "s"\n' for source in sources
    ]
    file = folder / "night.toml"
    file.write_text('root = "lake"\n' + "".join(blocks))
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(encoded(picture(1), "PNG"))
    return str(file)


def test_a_collection_that_fails_does_not_stop_the_others_and_the_worst_code_is_that_of_the_night(
    tmp_path: Path,
) -> None:
    outcome = run_laketag("nightly", write_night(tmp_path, "absent", "images"), "--json")
    assert outcome.code == ExitCode.INPUT
    absent, images = (json.loads(line) for line in outcome.out.splitlines())
    assert "absent" in absent["error"]
    assert absent["images"] is None
    assert (images["images"], images["new"]) == (1, 1)
    assert "no description set 's'" in images["error"]
    nights = laketag.nights(str(tmp_path / "lake")).collect()
    assert nights["exit_code"].to_list() == [2, 2]
    assert nights["images"].to_list() == [None, 1]


def test_a_night_whose_time_is_over_ends_with_0_and_says_what_is_left(tmp_path: Path) -> None:
    outcome = run_laketag("nightly", write_night(tmp_path, "images"), "--max-hours", "1e-9", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["is_over"]
    assert "the time is over; it is left for the next night" in outcome.err
    assert laketag.nights(str(tmp_path / "lake"), collection="images").collect()["images"].to_list() == [None]


def test_a_dry_run_of_the_first_night_counts_images_and_writes_nothing(tmp_path: Path) -> None:
    outcome = run_laketag("nightly", write_night(tmp_path, "images"), "--dry-run")
    assert outcome.code == 0
    assert "1 images in the source: 1 new, 0 changed, 0 gone" in outcome.out
    assert "would be labelled: 1 images, no run with this method has measured" in outcome.out
    assert not (tmp_path / "lake").exists()


def test_a_file_that_is_wrong_is_a_line_of_json_too(tmp_path: Path) -> None:
    outcome = run_laketag("nightly", str(tmp_path / "none.toml"), "--json")
    assert outcome.code == ExitCode.INPUT
    assert "cannot be read" in json.loads(outcome.out)["error"]
    with pytest.raises(SettingsError, match="--wait -1"):
        laketag.nightly(write_night(tmp_path, "images"), wait=-1)


def test_every_exit_code_has_its_place_among_the_worst() -> None:
    assert sorted(WORST_FIRST) == sorted(ExitCode)
