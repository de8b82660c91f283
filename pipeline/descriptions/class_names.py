"""Class names: what two of them share, and which of them a text mentions."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from laketag.pipeline.descriptions.sentences import fold, readable_name

WORD = re.compile(r"[^\W_]+")
IRREGULAR_PLURALS = {
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "men": "man",
    "mice": "mouse",
    "oxen": "ox",
    "people": "person",
    "teeth": "tooth",
    "women": "woman",
}
SHORTEST_STEM = 2


def name_key(name: str) -> str:
    """The name without differences in case, white space, ``_``, ``-`` and Unicode form."""
    return " ".join(fold(name).replace("_", " ").replace("-", " ").split())


def words_of(text: str) -> tuple[str, ...]:
    """The text's words, case-folded; letters and digits only."""
    return tuple(WORD.findall(fold(text)))


def singulars(word: str) -> set[str]:
    """The words that an English word may be the plural of; none if it does not look like a plural."""
    found = {IRREGULAR_PLURALS[word]} if word in IRREGULAR_PLURALS else set()
    if word.endswith("s") and not word.endswith("ss"):
        found.add(word[:-1])
    if re.search(r"(s|x|z|ch|sh|o)es$", word):
        found.add(word[:-2])
    if word.endswith("ies"):
        found.add(word[:-3] + "y")
    if word.endswith("ves"):
        found |= {word[:-3] + "f", word[:-3] + "fe"}
    return {stem for stem in found if len(stem) >= SHORTEST_STEM}


class NameFinder:
    """Finds class names in texts: whole words in any case, singular or plural; a longer name hides a shorter one in it.

    Its time is proportional to the words of the text and does not depend on the number of classes.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self._words = {name: words_of(readable_name(name)) for name in class_names}
        self._exact: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._singular: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name, words in self._words.items():
            if not words:
                continue
            self._exact[words].append(name)
            for stem in singulars(words[-1]):
                self._singular[(*words[:-1], stem)].append(name)
        self._longest = max((len(words) for words in self._words.values()), default=0)

    def find_others(self, own: str, text: str) -> list[str]:
        """The other classes that a text of class ``own`` names, in the order of the text.

        A name inside a longer name does not count, and neither does a part of the text's own class name: "a dog in a
        bun" may describe a hot dog.
        """
        words = words_of(text)
        found = [(start, end, name) for start, end, name in self._spans(words)]
        others = []
        for start, end, name in found:
            if name == own or self._is_part(name, own):
                continue
            covered = any(
                first <= start and end <= last and (last - first > end - start or other == own)
                for first, last, other in found
            )
            if not covered and name not in others:
                others.append(name)
        return others

    def mentions(self, class_name: str, text: str) -> bool:
        """Whether the text names the class."""
        return any(name == class_name for _, _, name in self._spans(words_of(text)))

    def _spans(self, words: tuple[str, ...]) -> Iterator[tuple[int, int, str]]:
        """First word, word after the last, and name, for every name in the text."""
        for start in range(len(words)):
            for end in range(start + 1, min(start + self._longest, len(words)) + 1):
                span = words[start:end]
                names = dict.fromkeys([*self._exact.get(span, ()), *self._singular.get(span, ())])
                for stem in sorted(singulars(span[-1])):
                    names |= dict.fromkeys(self._exact.get((*span[:-1], stem), ()))
                for name in names:
                    yield start, end, name

    def _is_part(self, name: str, whole: str) -> bool:
        """Whether the name is part of another name."""
        return any(found == name for _, _, found in self._spans(self._words[whole]))
