"""Tables of description files: which columns count, and CSV."""

import csv
import io
from collections.abc import Iterable
from dataclasses import replace

from laketag.pipeline.descriptions.class_names import name_key
from laketag.pipeline.descriptions.contents import Contents, Table
from laketag.pipeline.descriptions.problems import name_some, refuse, shorten
from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.errors import InputError

CLASS_COLUMNS = ("class", "class name", "classname", "label", "category", "name", "wnid")
TEXT_COLUMNS = ("text", "description", "descriptor", "sentence", "prompt", "caption", "template")
"""Names of the columns of a table, the first one that is there counts; case, ``_`` and ``-`` make no difference."""
DELIMITERS = (",", ";", "\t")


def group_rows(rows: Iterable[tuple[str | None, str | None]], table: Table) -> Contents:
    """The contents of a table's (class, text) rows, in the order in which classes first appear."""
    grouped: dict[str, list[str]] = {}
    nameless = []
    for number, (name, text) in enumerate(rows, 1):
        name, text = normalise_text(name or ""), normalise_text(text or "")
        if name:
            grouped.setdefault(name, []).append(text)
        elif text:
            nameless.append(f"row {number} {shorten(text)}")
    notices = (
        [f"{len(nameless):,} row(s) without a class are left out: {name_some(nameless)}"] if nameless else []
    )
    return Contents({name: tuple(texts) for name, texts in grouped.items()}, table, tuple(notices))


def find_columns(columns: Iterable[str], file: str) -> tuple[str, str]:
    """The class column and the text column of a table; InputError if one of them is missing."""
    by_key = {name_key(column): column for column in reversed(list(columns))}
    found = [
        next((by_key[key] for key in keys if key in by_key), None) for keys in (CLASS_COLUMNS, TEXT_COLUMNS)
    ]
    class_column, text_column = found
    if class_column is None or text_column is None:
        missing = [
            f"no column {kind!r}"
            for kind, column in zip(("class", "text"), found, strict=True)
            if column is None
        ]
        raise InputError(
            f"{file}: {' and '.join(missing)} among {', '.join(map(repr, reversed(by_key.values()))) or 'none'}; "
            f"a table of descriptions has the columns 'class' ({', '.join(CLASS_COLUMNS[1:])} will do) "
            f"and 'text' ({', '.join(TEXT_COLUMNS[1:])} will do)"
        )
    return class_column, text_column


def read_table(text: str, file: str) -> Contents:
    """The contents of a CSV or TSV file with a header."""
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[str | None, str | None]] = []
    problems, joined = [], []
    try:
        columns = [column.strip() for column in next(reader, [])]
        class_column, text_column = find_columns(columns, file)
        class_at, text_at = columns.index(class_column), columns.index(text_column)
        is_last = len(columns) - 1 in (class_at, text_at)
        for row in reader:
            if not "".join(row).strip():
                continue
            more = len(row) - len(columns)
            if more > 0 and is_last:  # delimiters in a text without quotes
                parts = slice(text_at, text_at + more + 1)
                row[parts] = [delimiter.join(row[parts])]
                joined.append(f"line {reader.line_num} {shorten(row[text_at])}")
            elif more:
                problems.append(f"line {reader.line_num} has {len(row)} field(s), the header {len(columns)}")
                continue
            rows.append((row[class_at], row[text_at]))
    except csv.Error as error:
        raise InputError(
            f"{file}, line {reader.line_num}: not CSV ({error}); "
            "quote texts that hold commas, quotes or line ends"
        ) from None
    refuse(file, problems, "quote texts that hold the delimiter or line ends")
    contents = group_rows(rows, "csv")
    if not joined:
        return contents
    notice = f"{len(joined):,} text(s) hold the delimiter without quotes, and their parts are joined: {name_some(joined)}"
    return replace(contents, notices=(notice, *contents.notices))
