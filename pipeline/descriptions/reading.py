"""The contents of a description file made into class → texts, with a notice about everything that was repaired."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from laketag.pipeline.descriptions.contents import Contents
from laketag.pipeline.descriptions.formats import (
    Detected,
    Format,
    Text,
    are_few,
    detect_format,
    list_texts,
    refuse_half,
)
from laketag.pipeline.descriptions.problems import name_some, refuse
from laketag.pipeline.descriptions.sentences import PLACE, describe_by, fill_template, has_content
from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.descriptions.wordnet import WNID, name_of_wnid
from laketag.pipeline.errors import InputError

Lists = Mapping[str, tuple[str, ...]]
"""Class name → its texts in the order of the file, empty ones included; the texts of a bare list have the name ''."""
FEWEST_CLASSES = 2
WNID_LINE = re.compile(rf"({WNID.pattern})[\s,:]+\S.*")
"""A line of ImageNet's own lists of classes, such as ``n01440764 tench, Tinca tinca``."""


@dataclass(frozen=True)
class ClassSentences:
    """The texts of a description file as they are embedded, by class."""

    by_class: Lists
    detected: Detected
    notices: tuple[str, ...]  # each a sentence about a repair


def read_descriptions(
    contents: Contents, file: str, file_format: Format | None, names: Sequence[str] | None, label_prompt: str
) -> ClassSentences:
    """The sentences of a file, read as the format, or else as the format that most of its texts show.

    ``names`` are the classes of a list of templates or descriptors, and are refused for files that name their classes.
    """
    if file_format:
        detected = Detected(file_format, "--format names it")
    elif contents.table:
        detected = Detected(contents.table, "it is a table of classes and texts")
    else:
        detected = detect_format(contents, file, with_names=names is not None)
    if names is not None and (detected.format == "names" or isinstance(contents.texts, Mapping)):
        raise InputError(
            f"{file} is read as {detected.format} and names its classes itself; --classes goes with a list of templates "
            "or descriptors only, so leave it out"
        )
    if detected.format == "names":
        found, notices = read_names(contents, file)
        lists: Lists = dict.fromkeys(found, (label_prompt,))
        phrase: Callable[[str, str], str] = fill_template
    else:
        lists = contents.texts if isinstance(contents.texts, Mapping) else {"": contents.texts}
        if detected.format == "clip-e" or (contents.table and _are_templates(lists)):
            lists, notices = _check_templates(lists, file)
            phrase = fill_template
        else:
            lists, notices = _remove_places(lists, file)
            phrase = _describe if detected.format == "clip-d" else _keep
        lists = _give_names(lists, names, detected.format, file)
    by_class = {name: tuple(phrase(text, name) for text in texts) for name, texts in lists.items()}
    _refuse_too_few(by_class, file)
    return ClassSentences(by_class, detected, (*contents.notices, *notices, *_unknown_wnids(by_class)))


def read_names(contents: Contents, file: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class names of a list, each once, and notices about repairs."""
    if isinstance(contents.texts, Mapping):
        raise InputError(
            f"{file}: class names are a list, but this is an object of class → texts; write a list"
        )
    lists, notices = _remove_places({"": contents.texts}, file)
    names = [name for name in lists[""] if name]
    if names and all(map(WNID_LINE.fullmatch, names)):
        names = [WNID_LINE.sub(r"\1", name) for name in names]
    counts = Counter(names)
    if repeated := [repr(name) for name, count in counts.items() if count > 1]:
        notices = (
            *notices,
            f"{len(repeated):,} name(s) occur more than once and are kept once: {name_some(repeated)}",
        )
    return tuple(counts), notices


def _check_templates(lists: Lists, file: str) -> tuple[Lists, tuple[str, ...]]:
    """The lists; a class's text without ``{}`` is kept as it is, but one for all classes is left out.

    InputError with their places if there are too many of them.
    """
    texts = list_texts(lists)
    plain = [text for text in texts if PLACE not in text.text]
    if not are_few(len(plain), texts):
        refuse(file, [f"{text} has no {PLACE}" for text in plain], f"write {PLACE} where the class name goes")
    if not plain:
        return lists, ()
    if "" in lists:
        kept = {"": tuple(text if PLACE in text else "" for text in lists[""])}
        return kept, (f"{_texts(plain)} without {PLACE} left out: {name_some(plain)}",)
    return lists, (f"{_texts(plain)} without {PLACE} among templates, kept as written: {name_some(plain)}",)


def _remove_places(lists: Lists, file: str) -> tuple[Lists, tuple[str, ...]]:
    """The lists without ``{}`` in their texts; InputError with their places if too many hold one."""
    texts = list_texts(lists)
    stray = [text for text in texts if PLACE in text.text]
    refuse_half(stray, texts, file)
    if not stray:
        return lists, ()
    cleaned = {
        name: tuple(normalise_text(text.replace(PLACE, "")) for text in of_class)
        for name, of_class in lists.items()
    }
    return cleaned, (f"{_texts(stray)} with a stray {PLACE}, which is removed: {name_some(stray)}",)


def _give_names(lists: Lists, names: Sequence[str] | None, file_format: Format, file: str) -> Lists:
    """The lists by class; a bare list belongs to every class of ``names``."""
    if "" not in lists:
        return lists
    if file_format not in ("clip-d", "clip-e"):
        raise InputError(
            f"{file}: {file_format} is an object of class → texts, but this is a list; rewrite it"
        )
    if names is None:
        kind = "templates" if file_format == "clip-e" else "descriptors"
        raise InputError(
            f"{file}: a list of {kind} names no classes; give their names, one a line, with --classes FILE"
        )
    return {name: tuple(filter(None, lists[""])) for name in names}


def _are_templates(lists: Lists) -> bool:
    texts = list_texts(lists)
    return bool(texts) and are_few(sum(PLACE not in text.text for text in texts), texts)


def _describe(descriptor: str, name: str) -> str:
    """The CLIP-D sentence; an empty descriptor stays empty, so that lint drops it."""
    return describe_by(name, descriptor) if has_content(descriptor) else ""


def _keep(sentence: str, _name: str) -> str:
    return sentence


def _texts(texts: Sequence[Text]) -> str:
    return f"{len(texts):,} text{'s' if len(texts) > 1 else ''}"


def _unknown_wnids(names: Mapping[str, object]) -> tuple[str, ...]:
    unknown = [name for name in names if WNID.fullmatch(name) and name_of_wnid(name) is None]
    if not unknown:
        return ()
    return (
        f"{len(unknown):,} WordNet id(s) are not ImageNet's, and prompts show the ids: {name_some(unknown)}",
    )


def _refuse_too_few(names: Mapping[str, object], file: str) -> None:
    if len(names) < FEWEST_CLASSES:
        found = f"only the class {next(iter(names))!r}" if names else "no class"
        raise InputError(f"{file} has {found}; a label is a choice between classes, so describe at least two")
