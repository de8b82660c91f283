"""Sentences on a screen: wrapped at words in a terminal, one line elsewhere, and nothing that is copied is broken."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from laketag.pipeline.screen import Screen

PATH = "/very/long/" + "folder-name/" * 9 + "labels.parquet"
SENTENCE = f"the run cannot read {PATH} because the disk is full; make room there and run the same command again, please"


def printed(*, terminal: bool, width: int = 80, verbose: bool = False) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, no_color=True, markup=False)
    return Screen(console, verbose), out


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_terminal_breaks_lines_between_words_and_keeps_paths_whole(width: int) -> None:
    screen, out = printed(terminal=True, width=width)
    screen.say(SENTENCE)
    lines = out.getvalue().splitlines()
    assert " ".join(lines) == SENTENCE
    assert all(len(line) <= width for line in lines if line != PATH)
    assert len(lines) > 1


def test_a_path_with_spaces_and_a_command_stay_on_one_line() -> None:
    screen, out = printed(terminal=True)
    command = "laketag query failures --root '/home/me/My Photos/lake' --collection photos"
    path = "/home/me/My Photos/lake/labels/collection=photos/run=1"
    screen.error(f"3 of 3 images failed (not_found 3); see why with: {command}; then try again")
    screen.say(f"the labels of all of the images are in: {path}", whole=path)
    lines = out.getvalue().splitlines()
    assert any(line.startswith(f"{command};") for line in lines)
    assert path in lines


def test_a_list_in_a_sentence_keeps_its_indent() -> None:
    screen, out = printed(terminal=True)
    screen.say("two settings are wrong:\n  " + "one " * 40)
    first, *listed = out.getvalue().splitlines()
    assert first == "two settings are wrong:"
    assert len(listed) > 1
    assert all(line.startswith("  one") for line in listed)


def test_in_a_log_or_a_pipe_a_sentence_is_one_line() -> None:
    screen, out = printed(terminal=False)
    screen.say(SENTENCE)
    screen.error(SENTENCE)
    assert out.getvalue() == f"{SENTENCE}\nerror: {SENTENCE}\n"


def test_errors_are_wrapped_with_their_first_word() -> None:
    screen, out = printed(terminal=True)
    screen.error("the words of " * 10)
    lines = [Text.from_ansi(line).plain for line in out.getvalue().splitlines()]
    assert " ".join(lines).strip() == f"error: {'the words of ' * 10}".strip()
    assert all(len(line) <= 80 for line in lines)


def test_brackets_and_line_breaks_are_printed_as_they_are() -> None:
    screen, out = printed(terminal=True)
    screen.say("a [bold]name[/bold] :smile:\n  second   line")
    assert out.getvalue() == "a [bold]name[/bold] :smile:\n  second   line\n"


def test_operators_lines_are_printed_only_when_asked_for() -> None:
    for verbose in (False, True):
        screen, out = printed(terminal=False, verbose=verbose)
        screen.detail("2 fetch slots")
        screen.wait("loading the models")
        assert out.getvalue() == "2 fetch slots\n" * verbose + "loading the models …\n"
