"""Everything that is wrong with a description file, said at once."""

from collections.abc import Sequence

from laketag.pipeline.errors import InputError

SHOWN = 20
"""How many problems a message spells out."""


def refuse(file: str, problems: Sequence[str], fix: str) -> None:
    """Return if there is no problem; else one InputError names the file, all problems and the fix."""
    if not problems:
        return
    if len(problems) == 1:
        raise InputError(f"{file}: {problems[0]}; {fix}")
    listed = [f"  {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        listed.append(f"  … and {len(problems) - SHOWN:,} more")
    raise InputError("\n".join([f"{file}: {len(problems):,} problems; {fix}", *listed]))


def shorten(text: str, characters: int = 60) -> str:
    """The text in quotes on one line, cut at so many characters."""
    line = " ".join(text.split())
    return repr(line if len(line) <= characters else line[: characters - 1] + "…")
