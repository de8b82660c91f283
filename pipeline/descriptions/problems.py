"""All problems of a description file in one error."""

from collections.abc import Sequence

from laketag.pipeline.errors import InputError

SHOWN = 20
"""Most problems that one message lists."""


def refuse(file: str, problems: Sequence[str], fix: str) -> None:
    """InputError that names the file, the problems and the fix, if there are any problems."""
    if not problems:
        return
    if len(problems) == 1:
        raise InputError(f"{file}: {problems[0]}; {fix}")
    listed = [f"  {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        listed.append(f"  … and {len(problems) - SHOWN:,} more")
    raise InputError("\n".join([f"{file}: {len(problems):,} problems; {fix}", *listed]))


def name_some(places: Sequence[object], most: int = 3) -> str:
    """The first places, and how many more there are."""
    more = f", and {len(places) - most:,} more" if len(places) > most else ""
    return ", ".join(map(str, places[:most])) + more


def shorten(text: str, characters: int = 60) -> str:
    """The text in quotes on one line, cut to this length."""
    line = " ".join(text.split())
    return repr(line if len(line) <= characters else line[: characters - 1] + "…")
