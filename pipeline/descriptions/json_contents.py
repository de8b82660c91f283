"""JSON description files: an object of class → texts, a list of texts, or a list of objects with a class and texts.

An object of integer → name, such as a model's ``id2label``, is a list of names.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from laketag.pipeline.descriptions.contents import Contents
from laketag.pipeline.descriptions.problems import name_some, refuse
from laketag.pipeline.descriptions.strict_json import read_json
from laketag.pipeline.descriptions.table_contents import find_columns
from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.descriptions.wordnet import WNID
from laketag.pipeline.errors import InputError

PAIR = 2
INTEGER = re.compile(r"-?\d+")


def read_json_contents(text: str, file: str) -> Contents:
    """The contents of a JSON file."""
    value, repeated = read_json(text, file)
    if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        return _read_records(value, file)
    if isinstance(value, list):
        checked, notices = _checked_texts({"": value}, file)
        return Contents(checked[""], notices=notices)
    if not isinstance(value, dict):
        raise InputError(
            f"{file}: a JSON description file is an object of class → list of texts, or a list of texts, "
            f"but this is {_kind(value)}; rewrite it in that form"
        )
    if value and all(map(_is_index_entry, value.values())):  # ImageNet's imagenet_class_index.json
        return Contents(tuple(entry[0] for entry in value.values()))
    if value and all(map(INTEGER.fullmatch, value)) and all(isinstance(name, str) for name in value.values()):
        return Contents(tuple(map(normalise_text, value.values())))  # a model's id2label
    return _merge_classes(*_checked_texts(value, file), repeated)


def is_json_lines(text: str) -> bool:
    """Whether the first line is a JSON object and others follow, so that the text is not one JSON value."""
    first, _, others = text.strip().partition("\n")
    try:
        return bool(others) and isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def read_json_lines(text: str, file: str) -> Contents:
    """The contents of a file with a JSON object in each line."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    records = [read_json(line, f"{file}, line {number} of JSON Lines")[0] for number, line in lines]
    wrong = [
        f"line {number} is {_kind(record)}"
        for (number, _), record in zip(lines, records, strict=True)
        if not isinstance(record, dict)
    ]
    refuse(file, wrong, "write an object with a class and its texts in each line")
    return _read_records(records, file)


def _read_records(records: list[dict[str, Any]], file: str) -> Contents:
    """The contents of objects that have a class and a text, or a list of texts, under the names of table columns."""
    class_key, text_key = find_columns(dict.fromkeys(key for record in records for key in record), file)
    problems = [
        f"entry {number}: {_kind(record.get(class_key))} instead of a class name"
        for number, record in enumerate(records, 1)
        if not isinstance(record.get(class_key), str)
    ]
    refuse(file, problems, f"give each entry its {class_key!r}")
    lists: dict[str, list[Any]] = {}
    for record in records:
        texts = record.get(text_key)
        lists.setdefault(normalise_text(record[class_key]), []).extend(
            texts if isinstance(texts, list) else [texts]
        )
    return _merge_classes(*_checked_texts(lists, file), ())


def _checked_texts(lists: Mapping[str, Any], file: str) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """The normalised texts, and a notice of what is read as an empty text because it is none.

    A single text is a list of one, and null is no text. InputError with the places if most values are no texts.
    """
    problems = []
    checked: dict[str, tuple[str, ...]] = {}
    for name, value in lists.items():
        place = f"class {name!r}" if name else "the list"
        texts = [] if value is None else [value] if isinstance(value, str) else value
        if not isinstance(texts, list):
            problems.append(f"{place}: {_kind(value)} instead of a list of texts")
            texts = [None]
        wrong = [(number, text) for number, text in enumerate(texts, 1) if not isinstance(text, str | None)]
        problems += [f"{place}, entry {number}: {_kind(text)} instead of a text" for number, text in wrong]
        checked[name] = tuple(normalise_text(text) if isinstance(text, str) else "" for text in texts)
    if len(problems) > sum(bool(text) for of_class in checked.values() for text in of_class):
        refuse(file, problems, "write lists of texts")
    if not problems:
        return checked, ()
    return checked, (f"{len(problems):,} value(s) are read as empty texts: {name_some(problems)}",)


def _merge_classes(
    lists: Mapping[str, tuple[str, ...]], found: Iterable[str], repeated: Iterable[str]
) -> Contents:
    """The lists under normalised names, with notices after those found; lists of equal names are joined.

    Those without a name are left out.
    """
    spellings: dict[str, list[str]] = {}
    merged: dict[str, tuple[str, ...]] = {}
    for spelling, texts in lists.items():
        name = normalise_text(spelling)
        spellings.setdefault(name, []).append(spelling)
        merged[name] = merged.get(name, ()) + texts
    notices = list(found)
    if "" in merged:
        notices.append(f"{len(merged.pop('')):,} text(s) of a class without a name are left out")
    twice = dict.fromkeys(map(normalise_text, repeated)) | dict.fromkeys(
        name for name, written in spellings.items() if len(written) > 1
    )
    if joined := [repr(name) for name in twice if name in merged]:
        notices.append(
            f"{len(joined):,} class(es) occur more than once, and their texts are joined: {name_some(joined)}"
        )
    return Contents(merged, notices=tuple(notices))


def _is_index_entry(value: Any) -> bool:
    """Whether the value is a pair of a WordNet id and a name."""
    return (
        isinstance(value, list)
        and len(value) == PAIR
        and isinstance(value[0], str)
        and bool(WNID.fullmatch(value[0]))
    )


def _kind(value: Any) -> str:
    names = {str: "a text", dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    return names.get(type(value), f"the number {value}")
