"""The formats of description files, and how they are detected.

========  ====================================================================================================
names     class names, one a line, as a JSON list or as a JSON object of integer → name; the label prompt is the only
          description
cupl      JSON object: class → sentences (Pratt et al., ICCV 2023, arXiv 2209.03320)
clip-d    JSON object: class → descriptors, which become "{class}, which is/has {descriptor}"; or one list of
          descriptors (WaffleCLIP's words, arXiv 2306.07282) for names from a second file
clip-e    templates with ``{}``, one a line or as a JSON list, for names from a second file; or JSON object:
          class → templates
csv       columns ``class`` and ``text``, with a header
parquet   columns ``class`` and ``text``
========  ====================================================================================================
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from laketag.pipeline.descriptions.class_names import NameFinder
from laketag.pipeline.descriptions.contents import Contents
from laketag.pipeline.descriptions.problems import name_some, refuse, shorten
from laketag.pipeline.descriptions.sentences import PLACE, ends_like_a_sentence
from laketag.pipeline.errors import InputError

Format = Literal["names", "cupl", "clip-d", "clip-e", "csv", "parquet"]
EXCEPTIONS_ONE_IN = 5
"""A majority is clear if at most one text in this many is an exception."""
OTHER_PLACE = re.compile(r"\{\w+\}|%s")
"""Places of the class name in templates of Python programs."""


@dataclass(frozen=True)
class Detected:
    """A format, and the reason for choosing it in words."""

    format: Format
    because: str


@dataclass(frozen=True)
class Text:
    """A text of a file that is not empty, with its place."""

    class_name: str  # empty in a bare list
    number: int  # among the texts of its class, from 1
    text: str

    def __str__(self) -> str:
        owner = f"class {self.class_name!r}, text" if self.class_name else "entry"
        return f"{owner} {self.number} {shorten(self.text)}"


def list_texts(texts: Mapping[str, tuple[str, ...]] | Sequence[str]) -> list[Text]:
    """All texts that are not empty, in the order of the file."""
    by_class = texts if isinstance(texts, Mapping) else {"": texts}
    return [
        Text(name, number, text)
        for name, of_class in by_class.items()
        for number, text in enumerate(of_class, 1)
        if text
    ]


def detect_format(contents: Contents, file: str, *, with_names: bool) -> Detected:
    """The format of a JSON or text file by the clear majority of its texts, or an InputError with the exceptions.

    Texts with ``{}`` are templates (CLIP-E). If most other texts end like sentences or name their class, they are CuPL
    sentences; if few do, CLIP-D descriptors, which are fragments. A list without ``{}`` holds class names, or descriptors
    for the names of a second file (``with_names``).
    """
    texts = list_texts(contents.texts)
    templates = [text for text in texts if PLACE in text.text]
    if texts and are_few(len(texts) - len(templates), texts):
        return Detected("clip-e", f"{_share(templates, texts)} are templates with {PLACE}")
    refuse_half(templates, texts, file)
    if isinstance(contents.texts, tuple):
        if others := [str(text) for text in texts if OTHER_PLACE.search(text.text)]:
            refuse(file, others, f"write {PLACE} where the class name goes")
        if with_names:
            return Detected(
                "clip-d", f"a list without {PLACE} holds descriptors for the classes of --classes"
            )
        return Detected("names", f"a list without {PLACE} holds class names")
    if not texts:
        return Detected("cupl", "no class has a text")
    return _detect_sentences(texts, file)


def _detect_sentences(texts: Sequence[Text], file: str) -> Detected:
    finder = NameFinder(list(dict.fromkeys(text.class_name for text in texts)))
    sentences: list[Text] = []
    fragments: list[Text] = []
    for text in texts:
        is_sentence = ends_like_a_sentence(text.text) or finder.mentions(text.class_name, text.text)
        (sentences if is_sentence else fragments).append(text)
    found = f"{_share(sentences, texts)} end like sentences or name their class"
    if are_few(len(fragments), texts):
        return Detected("cupl", found + (f"; not {name_some(fragments)}" if fragments else ""))
    if are_few(len(sentences), texts):
        return Detected("clip-d", f"only {found}" + (f": {name_some(sentences)}" if sentences else ""))
    raise InputError(
        f"{file}: {found}, too few for CuPL sentences and too many for CLIP-D descriptors; "
        "choose with --format cupl or --format clip-d"
    )


def are_few(exceptions: int, texts: Sequence[Text]) -> bool:
    """Whether so few exceptions leave a clear majority of the texts."""
    return exceptions * EXCEPTIONS_ONE_IN <= len(texts)


def refuse_half(templates: Sequence[Text], texts: Sequence[Text], file: str) -> None:
    """InputError with their places if there are too many templates among other texts to be mistakes."""
    if not are_few(len(templates), texts):
        refuse(
            file,
            [f"{text} is a template" for text in templates],
            f"{_share(templates, texts)} are templates with {PLACE} and the others are not: "
            "make all of them templates (clip-e) or none",
        )


def _share(some: Sequence[Text], texts: Sequence[Text]) -> str:
    return (
        f"all {len(texts):,} texts" if len(some) == len(texts) else f"{len(some):,} of {len(texts):,} texts"
    )
