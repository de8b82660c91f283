"""Where a command prints what a person should know."""

import re
import textwrap
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

HELD_SPACE = "\ue000"
"""Stands for a space at which no line is broken; of Unicode's private use, so no text has it."""
COMMAND = re.compile(r"(?<=: )laketag [^;,\n]+")
"""A command that a sentence proposes, to be copied."""


@dataclass(frozen=True)
class Screen:
    """A console for sentences. In a terminal they are wrapped at words; in a log or a pipe each is one line.

    What a person may copy is kept whole, even if it is longer than a line: a path, a URL, a command that is proposed.
    """

    console: Console
    verbose: bool = False
    """Whether operators' lines are printed: resources, slots, the path of Ray's log."""

    def say(self, sentence: str, style: str = "", *, whole: str = "") -> None:
        """The sentence is printed; ``whole`` is a part of it that is not broken at its spaces, such as a path."""
        self._print(Text(self._wrapped(sentence, whole), style))

    def detail(self, sentence: str) -> None:
        """The sentence is printed for operators, who asked for more by ``--verbose``."""
        if self.verbose:
            self.say(sentence)

    def wait(self, what: str) -> None:
        """What the command does now, which may take seconds or more, is printed."""
        self.say(f"{what} …", "dim")

    def error(self, message: str) -> None:
        """The message is printed as an error."""
        text = Text(self._wrapped(f"error: {message}"))
        text.stylize("bold red", 0, len("error:"))
        self._print(text)

    def _print(self, text: Text) -> None:
        self.console.print(text, soft_wrap=True)

    def _wrapped(self, sentence: str, whole: str = "") -> str:
        if not self.console.is_terminal:
            return sentence
        held = sentence.replace(whole, _hold(whole)) if whole else sentence
        held = COMMAND.sub(lambda found: _hold(found[0]), held)
        return wrap_words(held, self.console.width).replace(HELD_SPACE, " ")


def _hold(part: str) -> str:
    return part.replace(" ", HELD_SPACE)


def wrap_words(text: str, width: int) -> str:
    """The text with line breaks between words; a word that is longer than a line has a line of its own."""
    return "\n".join(
        textwrap.fill(
            line,
            width,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            expand_tabs=False,
            subsequent_indent=line[: len(line) - len(line.lstrip())],
        )
        for line in text.split("\n")
    )
