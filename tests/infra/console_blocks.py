"""The console blocks of docs/cluster.md: each command, its output, and whether the output is real or expected."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.infra.manifests import PROJECT

GUIDE = PROJECT / "docs/cluster.md"
MARK = re.compile(r"\s+# (real|expected)\b.*$")
SENTENCE = re.compile(r"\b(Real|Expected)\b[^.]*:$")


@dataclass(frozen=True)
class Step:
    """One command and its output; ``mark`` is real, expected, or empty."""

    section: str
    command: str
    output: tuple[str, ...]
    mark: str


def console_steps() -> Iterator[Step]:
    """Every command of the guide, in its order.

    The last line of an output, or the sentence before the block, marks it as real or expected.
    """
    section, before, lines = "", "", iter(GUIDE.read_text().splitlines())
    for line in lines:
        if line.startswith("## "):
            section = line.removeprefix("## ")
        if line == "```console":
            block = list(iter(lines.__next__, "```"))
            yield from _steps(section, before, block)
        elif line:
            before = line


def _steps(section: str, before: str, block: list[str]) -> Iterator[Step]:
    said = SENTENCE.search(before)
    commands = [number for number, line in enumerate(block) if line.startswith("$ ")]
    assert commands[:1] == [0], block
    for start, end in zip(commands, [*commands[1:], len(block)], strict=True):
        first = start + 1
        while block[first - 1].endswith("\\"):
            first += 1
        output = block[first:end]
        found = MARK.search(output[-1]) if output else None
        if found:
            output[-1] = output[-1][: found.start()]
        command = "\n".join(block[start:first]).removeprefix("$ ")
        yield Step(section, command, tuple(output), found[1] if found else said[1].lower() if said else "")
