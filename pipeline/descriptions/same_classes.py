"""Which class of a description set is meant by the name that an index, or a list of classes, gives it.

Description files write ``class_name``, ``Class-Name`` or WordNet ids, and data sets have spellings of their own. Two names are
the same class if they are equal, or else if they have the same words in any case (``hot_dog``, ``Hot-Dog``; an id has the words
of its name), or else if they have without what is in brackets at the end (``arcade (passageway)``), or else if WordNet has both
for one class of ImageNet (``sunglass``, ``sunglasses``).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from laketag.pipeline.descriptions.class_names import words_of
from laketag.pipeline.descriptions.imagenet import imagenet_classes, other_names
from laketag.pipeline.descriptions.problems import name_some
from laketag.pipeline.descriptions.sentences import readable_name
from laketag.pipeline.descriptions.wordnet import WNID
from laketag.pipeline.errors import InputError

BRACKETS = re.compile(r"\s*\([^()]*\)\s*$")
Key = tuple[str, ...] | str


@dataclass(frozen=True)
class SameClasses:
    """Names that classes have elsewhere, found among those of a description set."""

    found: Mapping[str, str]  # name → class of the set
    missing: tuple[str, ...]  # names without a class in the set

    @property
    def respelled(self) -> Mapping[str, str]:
        """Those whose class in the set has other words."""
        return {name: own for name, own in self.found.items() if _words(name) != _words(own)}


def find_same_classes(names: Iterable[str], class_names: Sequence[str]) -> SameClasses:
    """The class of the set for each name.

    An InputError if a name is equal to none, and alike to several.
    """
    keys: tuple[Callable[[str], Key], ...] = (str, _words, _words_before_brackets)
    tables = [_by_key(class_names, key) for key in keys]
    found: dict[str, str] = {}
    missing = []
    for name in dict.fromkeys(names):
        if own := next(_lookups(name, keys, tables), None):
            found[name] = own
        else:
            missing.append(name)
    return SameClasses(found, tuple(missing))


def _lookups(
    name: str, keys: Sequence[Callable[[str], Key]], tables: Sequence[Mapping[Key, list[str]]]
) -> Iterator[str]:
    """The classes that the name may mean, the best first; WordNet is only read if nothing else fits."""
    for key, table in zip(keys, tables, strict=True):
        alike = table.get(key(name), [])
        if len(alike) > 1:
            raise InputError(
                f"class {name!r} may be any of {name_some([repr(own) for own in alike])} of the description set; give it the "
                "spelling of the one that it is"
            )
        yield from alike
    for other in other_names(name):
        for key, table in zip(keys, tables, strict=True):
            if len(alike := table.get(key(other), [])) == 1:
                yield from alike


def _by_key(class_names: Sequence[str], key: Callable[[str], Key]) -> dict[Key, list[str]]:
    table: dict[Key, list[str]] = defaultdict(list)
    for name in dict.fromkeys(class_names):
        if key(name):
            table[key(name)].append(name)
    return table


def _words(name: str) -> Key:
    return words_of(_readable(name))


def _words_before_brackets(name: str) -> Key:
    return words_of(BRACKETS.sub("", _readable(name)))


def _readable(name: str) -> str:
    """The name as text; of two ids that CLIP's list calls the same, each has a name of its own."""
    return readable_name(imagenet_classes().get(name, name) if WNID.fullmatch(name) else name)
