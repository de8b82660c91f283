"""What a console and standard output do with text."""

import io
import sys

import pytest
from rich.console import Console

from laketag.jobs.console import UNSEEN_WIDTH, literal_console, open_console, write_out


def test_text_is_printed_unchanged_and_lines_that_nobody_sees_are_as_long_as_a_logs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    console = open_console()
    console.print("[red]s3://a/[x]/:smile:.jpg[/]")
    assert capsys.readouterr().out == "[red]s3://a/[x]/:smile:.jpg[/]\n"
    assert console.width == UNSEEN_WIDTH
    monkeypatch.setenv("COLUMNS", "77")
    assert open_console().width == 77


def test_a_persons_own_console_prints_text_unchanged_too() -> None:
    theirs = Console(file=io.StringIO(), record=True)
    literal_console(theirs).print("A cat has {} fur [/INST] :smile:")
    assert theirs.export_text() == "A cat has {} fur [/INST] :smile:\n"
    literal_console(None).print("[/INST]")


def test_characters_that_the_encoding_lacks_become_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    write_out("10 €\n")
    open_console().print("reading …")
    sys.stdout.flush()
    assert written.getvalue() == b"10 ?\nreading ?\n"
