"""Reading the file of a night."""

from pathlib import Path

import pytest

from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.night_file import NightFile, read_night

PETS = '[[collection]]\nsource = "images"\ncollection = "pets"\nset = "s"\n'


def read(folder: Path, text: str, root: str | None = None) -> NightFile:
    file = folder / "night.toml"
    file.write_text(text)
    return read_night(file, root=root)


def test_relative_paths_are_relative_to_the_file_and_urls_are_as_they_are(tmp_path: Path) -> None:
    blocks = PETS + 'descriptions = "~/a.txt"\n' + PETS.replace("pets", "cars").replace("images", "s3://b/c/")
    night = read(tmp_path, f'root = "lake"\n{blocks}classes = "names.txt"\n')
    pets, cars = night.collection
    assert (night.root, pets.source) == (f"{tmp_path}/lake", f"{tmp_path}/images")
    assert (pets.descriptions, cars.source, cars.classes) == ("~/a.txt", "s3://b/c/", f"{tmp_path}/names.txt")
    assert read(tmp_path, PETS, root="s3://lake").root == "s3://lake"


def test_settings_stand_beside_the_collections(tmp_path: Path) -> None:
    night = read(
        tmp_path, f'root = "lake"\n[method]\ncrops = 7\n{PETS}exclude = ["*.tmp"]\nretry = ["poison"]\n'
    )
    assert night.settings.method.crops == 7
    assert type(night.settings).__name__ == "Settings"
    assert (night.collection[0].exclude, night.collection[0].retry) == (("*.tmp",), ("poison",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'rot = "lake"\n{PETS}', r"rot: no such setting; did you mean root\? known here: .*collection"),
        (f"[method]\ncrop = 1\n{PETS}", r"method.crop: no such setting; did you mean crops\?"),
        (f"{PETS}desriptions = 'a'\n", r"collection.1.desriptions: no such setting; did you mean descriptions\?"),
        ('[[collection]]\nsource = "a"\n', r"collection.1.collection: is missing.*\n.*collection.1.set: is missing"),
        ('root = "lake"\n', "collection: is missing"),
        (f"{PETS}retry = ['timeout']\n", "'timeout' is not a permanent failure"),
        (PETS + PETS, "has the set 's' twice"),
        (
            PETS + "descriptions = 'a'\n" + PETS.replace("pets", "cars") + "descriptions = 'b'\n",
            r"set 's' has different descriptions \(a, b\)",
        ),
        (PETS, "names no lake"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read(tmp_path, text)
