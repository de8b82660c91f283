"""Descriptions of a random other class: the control that tells whether descriptions help for what they say."""

import re
from collections.abc import Mapping, Sequence

from laketag.pipeline.descriptions.sentences import readable_name

Texts = dict[str, tuple[str, ...]]
"""Class name → texts."""


def swap_texts(texts: Mapping[str, Sequence[str]], order: Sequence[int]) -> Texts:
    """Each class with the texts of another class, in which its own name replaces the name of the other.

    ``order`` has the place of each class once; a class gets the texts of the class that follows it there, the last one those of
    the first. Where there is a single class, it keeps its texts.
    """
    names = list(texts)
    ordered = [names[place] for place in order]
    after = dict(zip(ordered, [*ordered[1:], *ordered[:1]], strict=True))
    return {name: tuple(rename(text, after[name], name) for text in texts[after[name]]) for name in names}


def rename(text: str, old: str, new: str) -> str:
    """The text with the one class name for the other, singular or plural, in any case."""
    words = readable_name(old).split()
    if not words:
        return text
    pattern = r"[\s_-]+".join(map(re.escape, words))
    return re.sub(
        rf"(?<!\w){pattern}(s|es)?(?!\w)",
        lambda found: readable_name(new) + (found[1] or ""),
        text,
        flags=re.I,
    )
