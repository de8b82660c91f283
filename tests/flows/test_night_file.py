"""Reading the file of a night."""

from pathlib import Path

import pytest

from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.night_file import NightFile, read_night
from laketag.pipeline.stages.description_files import DescriptionFile

PETS = '[[collection]]\nsource = "images"\ncollection = "pets"\nset = "s"\n'


def read(folder: Path, text: str, root: str | None = None) -> NightFile:
    file = folder / "night.toml"
    file.write_text(text)
    return read_night(file, root=root)


def test_relative_paths_are_relative_to_the_file_and_urls_are_as_they_are(tmp_path: Path) -> None:
    other = PETS.replace("pets", "cars").replace('"s"', '"t"').replace("images", "s3://b/c/")
    blocks = PETS + 'descriptions = "~/a.txt"\n' + other
    night = read(tmp_path, f'root = "lake"\n{blocks}classes = "names.txt"\n')
    pets, cars = night.collection
    assert (night.root, pets.source) == (f"{tmp_path}/lake", f"{tmp_path}/images")
    assert (pets.descriptions, cars.source, cars.classes) == ("~/a.txt", "s3://b/c/", f"{tmp_path}/names.txt")
    assert read(tmp_path, PETS, root="s3://lake").root == "s3://lake"


def test_a_night_describes_some_classes_of_a_file_and_without_the_filter(tmp_path: Path) -> None:
    described = PETS + 'descriptions = "a.json"\nonly = "{}"\nno_filter = true\n'
    (named,) = read(tmp_path, 'root = "lake"\n' + described.format("names.txt")).collection
    assert named.file == DescriptionFile(f"{tmp_path}/a.json", None, None, False, f"{tmp_path}/names.txt")
    night = read(tmp_path, 'root = "lake"\n' + described.format("imagenet-r"))
    assert night.collection[0].only == "imagenet-r"
    rules = night.collection[0].describing(night.settings).descriptions
    assert (rules.drop_near_duplicates, rules.drop_names_another_class) == (False, False)
    (plain,) = read(tmp_path, f'root = "lake"\n{PETS}').collection
    assert plain.describing(night.settings) == night.settings
    filtered = PETS.replace('"pets"', '"cars"') + 'descriptions = "a.json"\nonly = "imagenet-r"\n'
    with pytest.raises(
        SettingsError, match=r"set 's' has different descriptions .* or reads them in different ways"
    ):
        read(tmp_path, 'root = "lake"\n' + described.format("imagenet-r") + filtered)


def test_settings_stand_beside_the_collections(tmp_path: Path) -> None:
    night = read(
        tmp_path,
        f'root = "lake"\n[method]\ncrops = 7\n{PETS}exclude = ["*.tmp"]\nretry = ["poison", "timeout"]\n',
    )
    assert night.settings.method.crops == 7
    assert type(night.settings).__name__ == "Settings"
    assert (night.collection[0].exclude, night.collection[0].retry) == (("*.tmp",), ("poison", "timeout"))


def test_descriptions_of_a_set_are_those_of_all_its_collections(tmp_path: Path) -> None:
    cars = PETS.replace("pets", "cars") + 'descriptions = "a.txt"\nstrict = true\n'
    other = PETS.replace('"s"', '"t"')
    files = [one.file for one in read(tmp_path, f'root = "lake"\n{PETS}{cars}{other}').collection]
    assert files[0] == files[1] == DescriptionFile(f"{tmp_path}/a.txt", None, None, True)
    assert files[2] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'rot = "lake"\n{PETS}', r"rot: no such setting; did you mean root\? known here: .*collection"),
        (f"[method]\ncrop = 1\n{PETS}", r"method.crop: no such setting; did you mean crops\?"),
        (f"{PETS}desriptions = 'a'\n", r"collection.1.desriptions: no such setting; did you mean descriptions\?"),
        ('[[collection]]\nsource = "a"\n', r"collection.1.collection: is missing.*\n.*collection.1.set: is missing"),
        ('root = "lake"\n', "collection: is missing"),
        (f"{PETS}retry = ['late']\n", r"collection.1.retry.1 = 'late': input should be 'not_found', .*'timeout'"),
        (PETS.replace('"s"', '""'), r"^1 wrong .*\n.*collection.1.set = '': the name '' cannot be part of a path"),
        (PETS.replace("pets", "a/b"), r"collection.1.collection = 'a/b': the name 'a/b' cannot be part of a path"),
        (PETS + PETS, "has the set 's' twice"),
        (
            PETS + "descriptions = 'a'\n" + PETS.replace("pets", "cars") + "descriptions = 'b'\n",
            r"set 's' has different descriptions \(a, b\)",
        ),
        (
            PETS + "exclude = ['a']\n" + PETS.replace('"s"', '"t"'),
            r"blocks 1 and 2 index collection 'pets' with different exclude \(\('a',\) and \(\)\)",
        ),
        (PETS, "names no lake"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read(tmp_path, text)
