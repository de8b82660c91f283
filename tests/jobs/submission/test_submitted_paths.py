"""A path travels, or means the same everywhere, or is refused."""

from pathlib import Path

import pytest

from laketag.jobs.submission.package import build_working_directory
from laketag.jobs.submission.submitted_paths import (
    LARGEST_INPUT_BYTES,
    check_places,
    check_settings_paths,
    ship_description_files,
)
from laketag.jobs.submission.typed_command import TypedCommand, read_command
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.settings_file import read_settings

ON_S3 = ("--root", "s3://b/lake")
INDEX = ("-c", "c", *ON_S3)


def describe(*arguments: str) -> TypedCommand:
    return read_command(("describe", *arguments, "-s", "s", *ON_S3))


@pytest.mark.parametrize(
    "typed",
    [
        ("label", "--root", "lake", "-c", "c", "-s", "s"),
        ("label", "--root=./lake", "-c", "c", "-s", "s"),
        ("label", "--root", "~/lake", "-c", "c", "-s", "s"),
        ("index", "pictures", *INDEX),
        ("index", *INDEX, "--", "-pictures"),
        ("query", "labels", *ON_S3, "--output", "labels.csv"),
    ],
)
def test_data_below_a_folder_of_this_machine_is_refused(typed: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match="every node of the cluster sees"):
        check_places(read_command(typed))


@pytest.mark.parametrize(
    "typed",
    [
        ("label", "--root", "/data/lake", "-c", "c", "-s", "s"),
        ("index", "s3://b/pictures", *INDEX),
        ("index", "/data/pictures", *INDEX),
        ("query", "labels", *ON_S3, "--output", "/data/labels.csv"),
        ("query", "sql", "SELECT 1", *ON_S3),
    ],
)
def test_data_that_every_node_sees_is_taken(typed: tuple[str, ...]) -> None:
    check_places(read_command(typed))


def test_files_of_descriptions_that_lie_here_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("animals.txt").write_text("cat\n")
    Path("more").mkdir()
    Path("more/animals.txt").write_text("dog\n")
    job = tmp_path / "job"
    shipped = ship_description_files(
        describe("animals.txt", "--classes", f"{tmp_path}/more/animals.txt"), job
    )
    assert {name: (job / path).read_text() for name, path in shipped.items()} == {
        "file": "cat\n",
        "classes": "dog\n",
    }
    assert ship_description_files(describe("s3://b/x.json", "--classes", "/only/there.txt"), job) == {}
    assert ship_description_files(read_command(("index", f"{tmp_path}/more", *INDEX)), job) == {}


@pytest.mark.parametrize(
    "arguments", [("anmals.txt",), ("s3://b/x.json", "--classes", "anmals.txt"), ("folder",)]
)
def test_a_relative_path_without_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    with pytest.raises(InputError, match="no such file here"):
        ship_description_files(describe(*arguments), tmp_path / "job")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    too_long = "x" * 300
    with pytest.raises(
        InputError, match=r"cannot be read .File name too long.; change its rights, or name another"
    ):
        ship_description_files(describe(too_long), tmp_path / "job")


def test_a_large_file_is_sent_to_s3_instead(tmp_path: Path) -> None:
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(LARGEST_INPUT_BYTES + 1)
    with pytest.raises(InputError, match="more than 64 MiB, too much to travel with a job; copy it to s3"):
        ship_description_files(describe(str(tmp_path / "large.json")), tmp_path / "job")


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("backbone.pretrained=local-dir:my/model", "backbone.pretrained"),
        ("backbone.pretrained=local-dir:~/model", "backbone.pretrained"),
        ("backbone.name=local-dir:my/model", "backbone.name"),
        ("backbone.pretrained=ViT-B-32.safetensors", "backbone.pretrained"),
        ("backbone.pretrained=../ViT-B-32.safetensors", "backbone.pretrained"),
        ("attention.weights=dino.safetensors", "attention.weights"),
        ("attention.weights=~/dino.safetensors", "attention.weights"),
        ("fetch.allowed_roots=~/pictures", "fetch.allowed_roots"),
    ],
)
def test_settings_that_name_files_of_this_machine_are_refused(
    tmp_path: Path, override: str, key: str
) -> None:
    with pytest.raises(SettingsError, match=rf"^{key}: .*every node of the cluster sees"):
        check_settings_paths(read_settings(overrides=[override]), tmp_path)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["backbone.pretrained=s3://b/w.safetensors", "attention.weights=/weights/dino.safetensors"],
        ["backbone.pretrained=local-dir:s3://b/model", "fetch.allowed_roots=/pictures"],
        ["backbone.pretrained=local-dir:/models/mine"],
    ],
)
def test_settings_that_mean_the_same_everywhere_are_taken(tmp_path: Path, overrides: list[str]) -> None:
    check_settings_paths(read_settings(overrides=overrides), tmp_path)


def test_the_demos_own_model_travels(tmp_path: Path) -> None:
    build_working_directory(tmp_path, None)
    demo = Path(__file__).parent.parent.parent / "demo" / "settings.toml"
    check_settings_paths(read_settings(demo), tmp_path)
