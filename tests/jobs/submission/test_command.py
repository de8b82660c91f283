"""A command is read with its own options, and its paths are sent, mean the same everywhere, or are refused."""

from pathlib import Path

import pytest

from laketag.jobs.submission.command import (
    TypedCommand,
    check_places,
    check_settings_paths,
    read_command,
    ship_description_files,
)
from laketag.jobs.submission.package import build_working_directory
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.settings_file import read_settings
from tests.end_to_end.command_line import PROJECT

ON_S3 = ("--root", "s3://b/lake")
INDEX = ("-c", "c", *ON_S3)
LABEL = ("label", "--root", "s3://b/lake", "-c", "c", "-s", "s")
DESCRIBE = ("describe", "animals", "--root", "s3://b/lake", "-s", "animals")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ((), "'nothing' cannot be submitted; after -- comes one of: index, describe"),
        (("demo",), "'demo' cannot be submitted"),
        (("submit", "--", *LABEL), "cannot be submitted"),
        ((*LABEL, "--settings", "x.toml"), "give --settings before --"),
        ((*LABEL, "--settings=x.toml"), "give --settings before --"),
        (LABEL[:-2], "Missing option '--set' / '-s'; see: laketag label --help"),
        ((*LABEL, "--limits", "3"), "No such option: --limits"),
        ((*LABEL, "more"), "unexpected extra argument"),
        ((*LABEL, "-o"), "Option '-o' requires an argument"),
        ((*DESCRIBE, "--format", "xml"), "'xml' is not one of"),
        (("query",), "a command is missing, one of: runs, nights, labels"),
        (("query", "lables", "--root", "s3://b/l"), "Did you mean 'labels'"),
        (
            ("query", "labels", "--root", "s3://b/l", "--min-probability", "2"),
            "Invalid value for '--min-probability'",
        ),
    ],
)
def test_a_command_that_laketag_would_refuse_is_refused_with_the_same_message(
    typed: tuple[str, ...], says: str
) -> None:
    with pytest.raises(SettingsError) as error:
        read_command(typed)
    assert says in str(error.value)


def test_a_command_is_read_by_its_own_options() -> None:
    command = read_command(("laketag", *LABEL, "-o", "method.crops=1", "-omethod.seed=2"))
    assert (command.name, command.values["root"], command.values["description_set"]) == (
        "label",
        "s3://b/lake",
        "s",
    )
    assert list(command.values["override"]) == ["method.crops=1", "method.seed=2"]
    assert (
        read_command(("query", "labels", "--root=s3://b/l", "--output", "x.csv")).values["output"] == "x.csv"
    )


@pytest.mark.parametrize(
    "typed",
    [
        LABEL,
        (*LABEL, "--retry", "too_large", "--retry=forbidden"),
        DESCRIBE,
        ("describe", "--root=s3://b/lake", "-sanimals", "--", "animals"),
        (*DESCRIBE, "--classes", "animals", "--show-dropped", "--format=cupl", "-o", "a.b=animals", "-oc.d="),
        ("index", "--root", "s3://b/lake", "-c", "c", "--parquet", "--", "-odd-folder"),
        ("index", "/data", "--root", "s3://b/lake", "-c", "c", "--by-extension"),
        (
            "query",
            "labels",
            "--root",
            "s3://b/lake",
            "--sort",
            "-label",
            "--min-probability",
            ".5",
            "-n",
            "0",
        ),
        ("query", "sql", "SELECT 'a b'", "--root", "s3://b/lake", "--format", "csv"),
    ],
)
def test_words_of_a_command_mean_the_same_but_for_what_changes(typed: tuple[str, ...]) -> None:
    """A set that is named like the file, an override that contains its name: only the file changes."""
    command = read_command(typed)
    changed = {name: "sent/animals" for name in ("file", "output") if name in command.values}
    again = read_command(command.words(changed))
    assert (again.names, again.values) == (command.names, {**command.values, **changed})
    with_settings = " ".join(command.words({"settings": "s.toml"}))
    assert " --settings s.toml" in with_settings.partition(" -- ")[0]


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
        check_places(read_command(typed).values)


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
def test_data_that_every_node_sees_is_accepted(typed: tuple[str, ...]) -> None:
    check_places(read_command(typed).values)


def test_a_file_that_is_left_out_is_no_word_of_the_command() -> None:
    assert "--" not in read_command(("describe", "--report", "-s", "s", *ON_S3)).words({})


def test_local_files_of_descriptions_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("animals.txt").write_text("cat\n")
    Path("more").mkdir()
    Path("more/animals.txt").write_text("dog\n")
    job = tmp_path / "job"
    shipped = ship_description_files(
        describe("animals.txt", "--classes", f"{tmp_path}/more/animals.txt").values, job
    )
    assert {name: (job / path).read_text() for name, path in shipped.items()} == {
        "file": "cat\n",
        "classes": "dog\n",
    }
    assert ship_description_files(describe("s3://b/x.json", "--classes", "/only/there.txt").values, job) == {}
    subset = describe("s3://b/x.json", "--only", "imagenet-r")
    assert ship_description_files(subset.values, job) == {}
    only = ship_description_files(
        describe("s3://b/x.json", "--only", "more/animals.txt").values, tmp_path / "j"
    )
    assert list(only) == ["only"]
    assert ship_description_files(read_command(("index", f"{tmp_path}/more", *INDEX)).values, job) == {}


@pytest.mark.parametrize(
    "arguments", [("anmals.txt",), ("s3://b/x.json", "--classes", "anmals.txt"), ("folder",)]
)
def test_a_relative_path_without_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    with pytest.raises(InputError, match="no such file on this machine"):
        ship_description_files(describe(*arguments).values, tmp_path / "job")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    too_long = "x" * 300
    with pytest.raises(
        InputError, match=r"cannot be read .File name too long.; change its permissions, or name another"
    ):
        ship_description_files(describe(too_long).values, tmp_path / "job")


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
def test_settings_that_mean_the_same_everywhere_are_accepted(tmp_path: Path, overrides: list[str]) -> None:
    check_settings_paths(read_settings(overrides=overrides), tmp_path)


def test_the_demos_own_model_is_sent(tmp_path: Path) -> None:
    build_working_directory(tmp_path, None)
    check_settings_paths(read_settings(PROJECT / "demo" / "settings.toml"), tmp_path)
