"""Where a command prints what a person should know."""

import textwrap
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text


@dataclass(frozen=True)
class Screen:
    """A console for sentences. In a terminal they are wrapped at words; in a log or a pipe each is one line.

    A path, a URL or any other word that is longer than a line is kept whole, so that it can be copied.
    """

    console: Console
    verbose: bool = False
    """Whether operators' lines are printed: resources, slots, the path of Ray's log."""

    def say(self, sentence: str, style: str = "") -> None:
        """The sentence is printed."""
        self._print(Text(self._wrapped(sentence), style))

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

    def _wrapped(self, sentence: str) -> str:
        return wrap_words(sentence, self.console.width) if self.console.is_terminal else sentence


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
        )
        for line in text.split("\n")
    )
