"""Description files read into class → texts, or one InputError with the places of all problems."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from laketag.pipeline.descriptions.class_names import find_same_names
from laketag.pipeline.descriptions.formats import Format
from laketag.pipeline.descriptions.problems import refuse, shorten
from laketag.pipeline.descriptions.sentences import (
    PLACE,
    describe_by,
    fill_template,
    has_content,
    on_one_line,
)
from laketag.pipeline.descriptions.strict_json import decode_text, read_json
from laketag.pipeline.errors import InputError

ClassSentences = dict[str, tuple[str, ...]]
"""Class name → its texts, each on one line, in the order of the file; empty texts are not removed."""
CLASS_COLUMN, TEXT_COLUMN = "class", "text"
DELIMITERS = (",", ";", "\t")
LINE_END = re.compile(r"\r\n|\r|\n")
FEWEST_CLASSES = 2


def read_descriptions(
    content: bytes,
    file: str,
    file_format: Format,
    *,
    label_prompt: str,
    class_names: Sequence[str] | None = None,
) -> ClassSentences:
    """Class → texts from the bytes of a file in any format except Parquet, whose rows go to ``group_rows``.

    ``class_names`` are needed for a bare list of templates and refused for everything else.
    """
    text = decode_text(content, file)
    if file_format == "names":
        sentences: ClassSentences = {
            name: (fill_template(label_prompt, name),) for name in read_names(text, file)
        }
    elif file_format == "csv":
        return group_rows(_csv_rows(text, file), file)
    else:
        sentences = _from_json(read_json(text, file), file, file_format, class_names)
    _refuse_wrong_classes(list(sentences), file)
    return sentences


def read_names(text: str, file: str) -> list[str]:
    """The names, one a line; blank lines are skipped, a repeated name is an error."""
    lines = [(number, line.strip()) for number, line in enumerate(LINE_END.split(text), 1)]
    first: dict[str, int] = {}
    problems = []
    for number, name in lines:
        if not name:
            continue
        if name in first:
            problems.append(f"line {number} repeats {name!r} of line {first[name]}")
        first.setdefault(name, number)
    refuse(file, problems, "keep one of each")
    return list(first)


def group_rows(rows: Iterable[tuple[str, str]], file: str) -> ClassSentences:
    """Class → texts from (class, text) rows."""
    grouped: dict[str, list[str]] = {}
    for name, text in rows:
        grouped.setdefault(name.strip(), []).append(on_one_line(text))
    _refuse_wrong_classes(list(grouped), file)
    return {name: tuple(texts) for name, texts in grouped.items()}


def _csv_rows(text: str, file: str) -> list[tuple[str, str]]:
    header = LINE_END.split(text)[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[str, str]] = []
    problems: list[str] = []
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [repr(name) for name in (CLASS_COLUMN, TEXT_COLUMN) if name not in names]:
            raise InputError(
                f"{file}, line 1: no column {' and no column '.join(missing)} among "
                f"{', '.join(map(repr, names)) or 'none'}; "
                "a CSV description file begins with the header: class,text"
            )
        class_at, text_at = names.index(CLASS_COLUMN), names.index(TEXT_COLUMN)
        for row in reader:
            if not row:
                continue
            if len(row) != len(names):
                problems.append(f"line {reader.line_num} has {len(row)} field(s), the header {len(names)}")
            else:
                rows.append((row[class_at], row[text_at]))
    except csv.Error as error:
        raise InputError(
            f"{file}, line {reader.line_num}: not CSV ({error}); "
            "quote texts that hold commas, quotes or line ends"
        ) from None
    refuse(file, problems, "quote texts that hold the delimiter")
    return rows


def _from_json(
    value: Any, file: str, file_format: Format, class_names: Sequence[str] | None
) -> ClassSentences:
    if file_format == "clip-e" and isinstance(value, list):
        if class_names is None:
            raise InputError(
                f"{file}: a list of templates names no classes; "
                "give their names, one a line, with --classes FILE"
            )
        templates = _checked_lists({"": value}, file, templates=True)[""]
        return {name: _filled(templates, name) for name in class_names}
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else f"{type(value).__name__} {shorten(str(value))}"
        raise InputError(
            f"{file}: {file_format} is a JSON object of class → list of texts, but this is {kind}; "
            "rewrite it in that form"
        )
    if class_names is not None:
        raise InputError(f"{file}: names its classes itself, so --classes must be left out")
    lists = _checked_lists(value, file, templates=file_format == "clip-e")
    if file_format == "clip-e":
        return {name: _filled(texts, name) for name, texts in lists.items()}
    if file_format == "clip-d":
        return {name: _described(texts, name) for name, texts in lists.items()}
    return {name: tuple(map(on_one_line, texts)) for name, texts in lists.items()}


def _filled(templates: Iterable[str], name: str) -> tuple[str, ...]:
    return tuple(on_one_line(fill_template(template, name)) for template in templates)


def _described(descriptors: Iterable[str], name: str) -> tuple[str, ...]:
    """The CLIP-D sentences; an empty descriptor stays empty, so that lint drops it."""
    return tuple(describe_by(name, text) if has_content(text) else "" for text in descriptors)


def _checked_lists(value: Mapping[str, Any], file: str, *, templates: bool) -> dict[str, list[str]]:
    """The object's lists under stripped names; InputError if an entry is no text, or no template where templates are due."""
    problems = []
    for name, texts in value.items():
        place = f"class {name!r}" if name else "the list"
        if not isinstance(texts, list):
            problems.append(f"{place}: {_kind(texts)} instead of a list of texts")
            continue
        for number, text in enumerate(texts, 1):
            if not isinstance(text, str):
                problems.append(f"{place}, entry {number}: {_kind(text)} instead of a text")
            elif templates and text.strip() and PLACE not in text:
                problems.append(f"{place}, entry {number}: {shorten(text)} has no {{}}")
    refuse(file, problems, "write lists of texts" + (" with {} for the class name" if templates else ""))
    stripped = [name.strip() for name in value]
    if len(set(stripped)) < len(stripped):
        twice = sorted({name for name in stripped if stripped.count(name) > 1})
        raise InputError(
            f"{file}: names that differ only in white space: {', '.join(map(repr, twice))}; merge their lists"
        )
    return {name.strip(): texts for name, texts in value.items()}


def _kind(value: Any) -> str:
    names = {str: "a text", dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    return names.get(type(value), f"the number {value}")


def _refuse_wrong_classes(names: Sequence[str], file: str) -> None:
    """InputError if there are fewer than two names, an empty one, or two names of the same class."""
    problems = ["a class without a name"] if "" in names else []
    problems += [
        f"{' and '.join(map(repr, group))} are the same class name" for group in find_same_names(names)
    ]
    refuse(file, problems, "give each class one name (case, white space, '_' and '-' make no difference)")
    if len(names) < FEWEST_CLASSES:
        found = f"only the class {names[0]!r}" if names else "no class"
        raise InputError(f"{file} has {found}; a label is a choice between classes, so describe at least two")
