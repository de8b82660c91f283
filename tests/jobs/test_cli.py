"""The command line: its list of commands, and what a command imports."""

import os
import subprocess
import sys

import pytest

from laketag.jobs.cli import COMMANDS, load_command
from tests.end_to_end.command_line import LAKETAG, PROJECT, command_env, run_laketag


@pytest.mark.parametrize("name", COMMANDS)
def test_the_listed_help_of_a_command_is_its_own(name: str) -> None:
    assert load_command(name).name == name
    assert COMMANDS[name] == " ".join(load_command(name).help.partition("\n\n")[0].split())


def test_help_lists_every_command_in_order() -> None:
    outcome = run_laketag("--help")
    places = [outcome.out.index(f" {name} ", outcome.out.index("Commands")) for name in COMMANDS]
    assert (outcome.code, places) == (0, sorted(places))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("settings",),
        ("index", "--help"),
        ("label", "--help"),
        ("describe", "--help"),
    ],
    ids=" ".join,
)
def test_help_and_settings_load_no_large_library(arguments: tuple[str, ...]) -> None:
    script = (
        "import atexit, sys; from laketag.jobs.cli import main\n"
        "atexit.register(lambda: print(*{'polars', 'pyarrow', 'ray', 'torch'} & set(sys.modules), file=sys.stderr))\n"
        "main()"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=command_env(), capture_output=True, text=True, check=True)
    assert (done.returncode, done.stderr) == (0, "\n")


def test_a_misspelt_command_is_refused_with_the_nearest_one() -> None:
    outcome = run_laketag("lable", "--root", "lake")
    assert outcome.code == 2
    assert "No such command 'lable'. Did you mean 'label'?" in outcome.err


def test_a_reader_of_a_finished_command_may_close_the_pipe() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*LAKETAG, "settings"],
        env=command_env(),
        cwd=PROJECT,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
