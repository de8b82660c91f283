"""A command is read with its own options before it travels."""

import pytest

from laketag.jobs.submission.typed_command import read_command, rewritten, with_settings
from laketag.pipeline.errors import SettingsError

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
        ((*LABEL, "--limit", "3"), "No such option: --limit"),
        ((*LABEL, "more"), "unexpected extra argument"),
        ((*LABEL, "-o"), "Option '-o' requires an argument"),
        ((*DESCRIBE, "--format", "xml"), "'xml' is not one of"),
        (("query",), "a command is missing, one of: runs, labels"),
        (("query", "lables", "--root", "s3://b/l"), "Did you mean 'labels'"),
        (
            ("query", "labels", "--root", "s3://b/l", "--min-probability", "2"),
            "Invalid value for '--min-probability'",
        ),
    ],
)
def test_what_laketag_would_not_take_is_refused_with_its_own_words(typed: tuple[str, ...], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_command(typed)
    assert says in str(error.value)


def test_a_command_is_what_its_own_options_say() -> None:
    command = read_command(("laketag", *LABEL, "-o", "method.crops=1", "-omethod.seed=2"))
    assert command.words[:3] == ("label", "--root", "s3://b/lake")
    assert (command.name, command.values["root"], command.values["set_name"]) == ("label", "s3://b/lake", "s")
    assert list(command.values["override"]) == ["method.crops=1", "method.seed=2"]
    assert (
        read_command(("query", "labels", "--root=s3://b/l", "--output", "x.csv")).values["output"] == "x.csv"
    )


@pytest.mark.parametrize(
    "typed",
    [
        DESCRIBE,
        ("describe", "--root=s3://b/lake", "-sanimals", "--", "animals"),
        (*DESCRIBE, "--classes", "animals", "--show-dropped", "--format=cupl", "-o", "a.b=animals", "-oc.d="),
    ],
)
def test_rewritten_words_mean_the_same_but_for_what_changes(typed: tuple[str, ...]) -> None:
    """A set named like the file, an override that holds its name: only the file is another one."""
    command = read_command(typed)
    again = read_command(rewritten(command, {"file": "shipped/animals"}))
    assert again.values == {**command.values, "file": "shipped/animals"}


def test_settings_stand_where_options_may_stand() -> None:
    assert with_settings(LABEL, "f.toml") == (*LABEL, "--settings", "f.toml")
    index = ("index", "--root", "r", "-c", "c", "--", "-odd-folder")
    assert with_settings(index, "f.toml")[-4:] == ("--settings", "f.toml", "--", "-odd-folder")
