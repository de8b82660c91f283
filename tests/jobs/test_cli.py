"""The command line: its list of commands, and what a command imports."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from laketag.jobs.cli import COMMANDS, load_command, reach_loopback_directly
from tests.end_to_end.command_line import LAKETAG, PROJECT, command_env, run_laketag, start_laketag

LAKETAG_SCRIPT = str(Path(sys.executable).with_name("laketag"))
"""As installed: tab completion calls it by its name."""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_listed_help_of_a_command_is_its_own(name: str) -> None:
    assert load_command(name).name == name
    assert COMMANDS[name] == " ".join(load_command(name).help.partition("\n\n")[0].split())


def test_help_lists_every_command_in_order() -> None:
    outcome = run_laketag("--help")
    places = [outcome.out.index(f"\n  {name} ", outcome.out.index("Commands")) for name in COMMANDS]
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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("label", "--root", "", "-c", "c", "-s", "s"), "--root is empty"),
        (("label", "--root=", "-c", "c", "-s", "s"), "--root is empty"),
        (("label", "--root", "l", "-c", "c", "-s", "s", "--settings", " "), "--settings is empty"),
        (("index", "", "--root", "l", "-c", "c"), "a word of the command line is empty"),
        (("query", "labels", "--root", "l", "--output", ""), "--output is empty"),
        (("submit", "--", "label", "--root", "", "-c", "c", "-s", "s"), "--root is empty"),
        (("jobs", "--address", ""), "--address is empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_value_that_is_empty_is_refused_as_of_an_unset_variable(
    arguments: tuple[str, ...], said: str
) -> None:
    outcome = run_laketag(*arguments)
    assert outcome.code == 2
    assert f"error: {said}; probably a variable is not set" in outcome.err


def test_an_override_may_unset_a_key() -> None:
    assert run_laketag("settings", "--override", "method.crops=", "-o", "method.crops=").code == 0


@pytest.mark.parametrize(
    ("redirection", "code", "said"), [(">/dev/full", 4, "No space left"), (">&-", 0, "")]
)
def test_an_output_that_is_full_or_closed_gives_no_traceback(redirection: str, code: int, said: str) -> None:
    command = ["sh", "-c", f'"$0" "$@" {redirection}', *LAKETAG, "settings"]
    done = subprocess.run(command, env=command_env(), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_80_columns_and_names_no_type_of_python(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run_laketag(name, "--help", env={"COLUMNS": "80"}).out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "<str>" in line or "<bool>" in line or "list[" in line]


def test_tab_completes_commands_and_options() -> None:
    def complete(words: str) -> list[str]:
        env = {
            "_LAKETAG_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        return subprocess.run(
            [LAKETAG_SCRIPT], env=command_env(env), capture_output=True, text=True, check=True
        ).stdout.split()

    assert complete("laketag la") == ["label"]
    assert complete("laketag label --se") == ["--set", "--settings"]
    assert complete("laketag query lab") == ["labels"]


def test_settings_and_root_may_come_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[method]\ncrops = 7\n", encoding="utf-8")
    env = {"LAKETAG_SETTINGS": str(tmp_path / "s.toml"), "LAKETAG_ROOT": str(tmp_path / "lake")}
    assert "crops = 7 " in run_laketag("settings", env=env).out
    other = run_laketag("settings", "--settings", str(tmp_path / "no.toml"), env=env)
    assert "no.toml cannot be read" in other.err
    assert f"{tmp_path / 'lake'} holds no finished run" in run_laketag("query", "runs", env=env).err
    empty = run_laketag("query", "runs", env={"LAKETAG_ROOT": ""})
    assert "Missing option '--root'" in empty.err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "a.example"}, "a.example,localhost,127.0.0.1,::1"),
        ({"no_proxy": "b.example", "NO_PROXY": "a.example"}, "b.example,localhost,127.0.0.1,::1"),
    ],
)
def test_servers_of_this_machine_are_reached_without_a_proxy(before: dict[str, str], after: str) -> None:
    environ = before | {"http_proxy": "http://proxy.example:3128"}
    reach_loopback_directly(environ)
    assert (environ["no_proxy"], environ["NO_PROXY"]) == (after, after)
    with_star = {"no_proxy": "*"}
    reach_loopback_directly(with_star)
    assert with_star == {"no_proxy": "*"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_command_with_its_exit_code(number: signal.Signals, tmp_path: Path) -> None:
    """While it waits: nobody writes into the pipe that the settings are read from."""
    pipe = tmp_path / "settings.toml"
    os.mkfifo(pipe)
    started = start_laketag("index", str(tmp_path), "--root", "l", "-c", "c", "--settings", str(pipe))
    with pipe.open("wb"):  # once the command has opened it too
        started.process.send_signal(number)
        code = started.wait()
    assert (code, started.text) == (128 + number, "stopped\n")
