"""What a submitted night sends and refuses."""

from pathlib import Path

import pytest

from laketag.jobs.submission.night import read_night_as_written, ship_night
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.flows.night_file import read_night

NIGHT = """
root = "s3://lake"  # a secret comment
[method]
crops = 7
[[collection]]
source = "s3://images/"
collection = "pets"
set = "s"
descriptions = "texts.json"
exclude = ["*.tmp"]
only = "imagenet-r"
no_filter = true
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "night.toml"
    file.write_text(text)
    return file


def test_a_night_is_sent_with_its_settings_and_description_files(tmp_path: Path) -> None:
    (tmp_path / "texts.json").write_text("{}")
    base = tmp_path / "settings.toml"
    base.write_text("[method]\ncrops = 3\nseed = 5\n")
    night = read_night_as_written(write(tmp_path, NIGHT), ["run.batch_size=2"], base)
    job = tmp_path / "job"
    job.mkdir()
    sent = job / ship_night(night, job)
    assert "secret" not in sent.read_text()
    there = read_night(sent)
    assert (there.root, there.method.crops, there.method.seed, there.run.batch_size) == ("s3://lake", 7, 5, 2)
    (pets,) = there.collection
    assert (pets.source, pets.description_set, pets.exclude) == ("s3://images/", "s", ("*.tmp",))
    assert (pets.only, pets.no_filter) == ("imagenet-r", True)
    assert pets.descriptions == f"{job}/submitted-inputs/0/descriptions/texts.json"
    assert Path(pets.descriptions).read_text() == "{}"


@pytest.mark.parametrize("place", ["s3://lake", "s3://images/"])
def test_data_of_this_machine_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(SettingsError, match="here/data is relative to a folder of this machine"):
        read_night_as_written(write(tmp_path, NIGHT.replace(place, "here/data")), [], None)


def test_descriptions_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"texts\.json: no such file on this machine"):
        read_night_as_written(write(tmp_path, NIGHT), [], None)
